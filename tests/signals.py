"""Signals whose place in time can be found again after any codec: short chirps at known times."""

import numpy as np
import numpy.typing as npt

RATE = 16_000
CHIRP_S = 0.04
SEARCH_S = 0.2


def chirp(rate: int) -> npt.NDArray[np.float64]:
    """A rising tone of 300 to 2,800 Hz under a window: also an 8 kHz telephone carries all of it."""
    time_s = np.arange(round(CHIRP_S * rate)) / rate
    return np.sin(2 * np.pi * (300 * time_s + 2500 / (2 * CHIRP_S) * time_s**2)) * np.hanning(len(time_s))


def chirps(rate: int, starts_s: list[list[float]], duration_s: float) -> npt.NDArray[np.float32]:
    """(channels, frames) float32 with a chirp at each of a channel's times."""
    sound = np.zeros((len(starts_s), round(duration_s * rate)), np.float32)
    for channel, starts in enumerate(starts_s):
        for start_s in starts:
            # Between samples: the chirp is made on a grid that begins exactly at its time.
            first = int(np.ceil(start_s * rate))
            time_s = np.arange(first, first + round(CHIRP_S * rate)) / rate - start_s
            phase = 2 * np.pi * (300 * time_s + 2500 / (2 * CHIRP_S) * time_s**2)
            window = np.where(time_s <= CHIRP_S, 0.5 - 0.5 * np.cos(2 * np.pi * time_s / CHIRP_S), 0)
            sound[channel, first : first + len(time_s)] += (0.5 * np.sin(phase) * window).astype(np.float32)
    return sound


def lag_ms(samples: npt.NDArray[np.int16], start_s: float) -> float:
    """How much later than `start_s` a chirp lies in 16 kHz samples (ms)."""
    template = chirp(RATE)
    first = round((start_s - SEARCH_S) * RATE)
    stretch = samples[first : first + round(2 * SEARCH_S * RATE) + len(template)].astype(np.float64)
    return float(np.correlate(stretch, template, "valid").argmax() / RATE - SEARCH_S) * 1000
