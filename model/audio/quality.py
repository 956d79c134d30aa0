"""How good a recording was technically: clipped samples, and up to which frequency there is sound."""

import numpy as np
import numpy.typing as npt

from funasr_beam.model.records import SAMPLE_RATE, Samples

_FULL_SCALE = 32_735  # 0.999: a resampler or a lossy codec moves clipped samples a little

_FFT_SAMPLES = 512
_MAX_FRAMES = 64
"""Spectra of one segment, spread over it: all frames would cost as much as a tenth of the VAD."""

_BAND_BINS = 8  # 250 Hz: the resolution of the answer
_LEAST_SHARE = 1e-6  # -60 dB below the loudest band is no sound of the source
_ROUNDING_ENERGY = 1 / 12  # of int16 samples: what is not over it is not there
_MARGIN = 4.0  # 6 dB over the rounding


def clipping_share(samples: Samples) -> float:
    """Share of the samples at full scale; 0 for none."""
    clipped = np.count_nonzero(samples >= _FULL_SCALE) + np.count_nonzero(samples <= -_FULL_SCALE)
    return int(clipped) / max(len(samples), 1)


def bandwidth_hz(samples: Samples) -> float | None:
    """Upper edge of the highest band of 250 Hz that is within 60 dB of the loudest one; None in digital silence.

    Tells telephone audio (about 4,000) from wideband audio (8,000) in a file of 16 kHz, however it was resampled.

    Args:
        samples: (n,) int16 mono at 16 kHz.
    """
    bands = _band_energies(samples)
    floor = max(float(bands.max()) * _LEAST_SHARE, _rounding_floor())
    heard = np.flatnonzero(bands > floor)
    if not len(heard):
        return None
    return float((heard[-1] + 1) * _BAND_BINS * SAMPLE_RATE / _FFT_SAMPLES)


def _band_energies(samples: Samples) -> npt.NDArray[np.float64]:
    """Mean energy of each of the 32 bands over frames that are spread over the audio."""
    padded = np.pad(samples, (0, max(_FFT_SAMPLES - len(samples), 0)))
    whole = len(padded) // _FFT_SAMPLES
    frames = padded[: whole * _FFT_SAMPLES].reshape(whole, _FFT_SAMPLES)
    chosen = frames[np.linspace(0, whole - 1, min(whole, _MAX_FRAMES)).astype(np.int64)]
    spectra = np.fft.rfft(chosen * _window())[:, : _FFT_SAMPLES // 2]
    energies: npt.NDArray[np.float64] = np.square(np.abs(spectra)).mean(axis=0)
    bands: npt.NDArray[np.float64] = energies.reshape(-1, _BAND_BINS).mean(axis=1)
    return bands


def _window() -> npt.NDArray[np.float64]:
    # Blackman: what a Hann window lets leak 4 kHz away from a loud vowel would pass for sound.
    return np.blackman(_FFT_SAMPLES)


def _rounding_floor() -> float:
    return _MARGIN * _ROUNDING_ENERGY * float(np.square(_window()).sum())
