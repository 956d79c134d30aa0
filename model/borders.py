"""Where a long recording is split into spans: nominal borders, and the quiet place near one that both sides find."""

import math

import numpy as np
import numpy.typing as npt

from funasr_beam.model.records import SAMPLE_RATE, Samples, Seconds

_HOP_SAMPLES = SAMPLE_RATE // 100
_SMOOTHING_FRAMES = 30  # 0.3 s: a pause between sentences, not the closure of a plosive
_STEP_DB = 3.0

_SILENCE_ENERGY = 30.0**2
"""Mean square added everywhere: all below -60 dBFS is equally silent, and one unit of int16 makes no difference."""


def nominal_spans(duration_s: Seconds | None, span_s: Seconds) -> list[tuple[Seconds, Seconds | None]]:
    """Start and end of each span of a recording, as planned before anything is decoded.

    The last span has no end: what the container says of its duration may be wrong. It is 0.5 to 1.5 times as long as
    the others, so that no span is tiny.

    Args:
        duration_s: as the container says; None: unknown, and there is one span.
        span_s: length of a span.

    Raises:
        ValueError: `span_s` is not positive.
    """
    if not span_s > 0:
        raise ValueError(f"span_s = {span_s:g}: must be positive")
    count = max(1, math.floor((duration_s or 0.0) / span_s + 0.5))
    starts = [index * span_s for index in range(count)]
    return list(zip(starts, [*starts[1:], None], strict=True))


def settle_border(window_samples: Samples, window_start_s: Seconds, nominal_s: Seconds) -> Seconds:
    """The quietest place near a nominal border, where both neighbours cut so that nothing is doubled or lost.

    The energy of all channels is smoothed over 0.3 s and rounded down to steps of 3 dB; of the quietest places the one
    nearest to the nominal border wins, the earlier one of two. Neighbours that decode alike always agree; where their
    samples differ by one unit of int16 at random, about one border of a thousand still moves.

    Args:
        window_samples: (channels, n) int16 at 16 kHz around the border.
        window_start_s: where the window begins.
        nominal_s: the border as planned.

    Returns:
        Seconds on a 10 ms grid from the start of the window, within it; the nominal border where there are no samples.
    """
    if window_samples.shape[-1] < _HOP_SAMPLES:
        return nominal_s
    steps = np.floor(10 * np.log10(_border_energies(window_samples)) / _STEP_DB)
    borders = np.flatnonzero(steps == steps.min())
    nominal = (nominal_s - window_start_s) * SAMPLE_RATE / _HOP_SAMPLES
    nearest = borders[np.argmin(np.abs(borders - round(nominal, 6)))]
    return window_start_s + int(nearest) * _HOP_SAMPLES / SAMPLE_RATE


def _border_energies(window_samples: Samples) -> npt.NDArray[np.float64]:
    """Energy around each border between frames of 10 ms, over all channels; the window's edges count what is there."""
    num_frames = window_samples.shape[-1] // _HOP_SAMPLES
    whole = window_samples[:, : num_frames * _HOP_SAMPLES].astype(np.float64)
    frames = np.square(whole).sum(axis=0).reshape(num_frames, _HOP_SAMPLES).mean(axis=1)
    sums = np.concatenate([[0.0], np.cumsum(frames)])
    borders = np.arange(num_frames + 1)
    first = np.maximum(borders - _SMOOTHING_FRAMES // 2, 0)
    last = np.minimum(borders + _SMOOTHING_FRAMES // 2, num_frames)
    energies: npt.NDArray[np.float64] = (sums[last] - sums[first]) / (last - first) + _SILENCE_ENERGY
    return energies
