"""What happens to speech between a mouth and a file: level, noise, the telephone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import soxr
from numpy.typing import NDArray

Samples = NDArray[np.float32]
SAMPLE_RATE = 16_000
PHONE_RATE = 8_000
MULAW = 255.0
BROWN_WINDOW = 401


@dataclass(frozen=True)
class Channel:
    """A way from the speaker to the file; `noise_db` is the signal-to-noise ratio over the speech, or None."""

    gain_db: float = -6.0
    noise_db: float | None = None
    brown: bool = False
    phone: bool = False


CLEAN = Channel()
PHONE = Channel(noise_db=15.0, phone=True)


def apply_channel(samples: Samples, channel: Channel, generator: np.random.Generator) -> Samples:
    """The samples, (n,) in [-1, 1], as they arrive: scaled, with noise, and in 8 kHz mu-law where it is a phone."""
    arrived = samples * np.float32(10 ** (channel.gain_db / 20))
    if channel.noise_db is not None:
        arrived = arrived + noise(arrived, channel.noise_db, channel.brown, generator)
    return mulaw_phone(arrived) if channel.phone else np.clip(arrived, -1, 1)


def noise(samples: Samples, snr_db: float, brown: bool, generator: np.random.Generator) -> Samples:
    """White or brown-ish noise, as long as the samples, `snr_db` below the power of those that are not silent."""
    raw = generator.standard_normal(len(samples)).astype(np.float32)
    if brown:
        raw = np.cumsum(raw, dtype=np.float64)
        raw = (raw - np.convolve(raw, np.ones(BROWN_WINDOW) / BROWN_WINDOW, "same")).astype(np.float32)
    loud = samples[np.abs(samples) > 1e-4]
    power = float(np.mean(loud**2)) if len(loud) else 1e-6
    scale = np.sqrt(power / max(float(np.mean(raw**2)), 1e-12)) * 10 ** (-snr_db / 20)
    return raw * np.float32(scale)


def mulaw_phone(samples: Samples) -> Samples:
    """The samples after 8 kHz mu-law coding, back at 16 kHz."""
    narrow = decode_mulaw(encode_mulaw(soxr.resample(samples, SAMPLE_RATE, PHONE_RATE)))
    return np.asarray(soxr.resample(narrow, PHONE_RATE, SAMPLE_RATE), dtype=np.float32)


def encode_mulaw(samples: Samples) -> NDArray[np.int8]:
    """Samples in [-1, 1] as signed mu-law steps from -127 to 127."""
    clipped = np.clip(samples, -1, 1)
    steps = np.sign(clipped) * np.log1p(MULAW * np.abs(clipped)) / np.log1p(MULAW) * 127
    return np.asarray(np.round(steps), dtype=np.int8)


def decode_mulaw(steps: NDArray[np.int8]) -> Samples:
    """Samples in [-1, 1] from signed mu-law steps."""
    level = steps.astype(np.float32) / 127
    return np.asarray(np.sign(level) * ((1 + MULAW) ** np.abs(level) - 1) / MULAW, dtype=np.float32)
