"""The native samples of one cell, put where their time stamps say."""

from fractions import Fraction

import av.error
import numpy as np
import numpy.typing as npt
import soxr
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

from funasr_beam.model.audio.container import MAX_RATE_HZ, MIN_RATE_HZ, AudioShape

FULL_SCALE = {"u1": 1 / 256, "i2": 1.0, "i4": 1 / 65_536, "i8": 2.0**-48, "f4": 32_768.0, "f8": 32_768.0}
"""What makes a sample of this type one in the range of int16."""

UNSAFE_PLANES = 8
"""From so many planes on PyAV 18.1 reads memory that is none of the frame's, and crashes: interleave them first."""

MAX_SLACK_S = 0.02
"""A frame that is off by less than this follows the one before it: clocks jitter."""

Interval = tuple[int, int]


class Canvas:
    """Silence onto which decoded frames are laid; it remembers what was covered."""

    def __init__(self, shape: AudioShape, start: int, length: int) -> None:
        self.samples = np.zeros((shape.num_channels, length), np.float32)
        self.covered: list[Interval] = []  # native samples of the recording, in order
        self.flaws = 0  # frames with times that run backwards, samples that are no numbers
        self.start, self.end = start, start + length
        self._shape = shape
        self._cursor: int | None = None

    @property
    def is_full(self) -> bool:
        """Whether frames have reached the end of the canvas."""
        return self._cursor is not None and self._cursor >= self.end

    def lay(self, frame: AudioFrame, zero_s: Fraction, fallback_s: float) -> None:
        """Put a frame on the canvas; what sticks out is cut off.

        Args:
            frame: decoded samples of any type, rate and number of channels.
            zero_s: what the frame's clock shows at second 0 of the recording.
            fallback_s: where the frame begins if it does not say.
        """
        try:
            samples = self._fit(frame)
        except (av.error.FFmpegError, ValueError):
            self.flaws += 1  # of a shape that nothing can be made of: spoiled bytes
            return
        length = samples.shape[1]
        begin = self._place(frame, zero_s, fallback_s, length)
        self._cursor = begin + length
        first, last = max(begin, self.start), min(begin + length, self.end)
        if first < last:
            self.samples[:, first - self.start : last - self.start] = samples[:, first - begin : last - begin]
            self._cover(first, last)

    def _place(self, frame: AudioFrame, zero_s: Fraction, fallback_s: float, length: int) -> int:
        if frame.pts is None:
            return self._cursor if self._cursor is not None else round(fallback_s * self._shape.sample_rate)
        rate = self._shape.sample_rate
        tick_s = frame.time_base or Fraction(1, rate)
        stamped = round((frame.pts * tick_s - zero_s) * rate)
        if self._cursor is None or self._cursor < self.start:
            # Still warming up: nothing is heard yet, and a decoder without a past may have cut its first frame.
            return stamped
        slack = max(float(2 * rate * tick_s + 1), min(length / 2, MAX_SLACK_S * rate))
        if abs(stamped - self._cursor) <= slack:
            return self._cursor
        self.flaws += stamped < self._cursor
        return stamped

    def _fit(self, frame: AudioFrame) -> npt.NDArray[np.float32]:
        """(channels, frames) float32 in the range of int16, at the rate and channels of the recording."""
        samples = _planar(frame)
        if samples.shape[0] != self._shape.num_channels:
            samples = _same_channels(samples, self._shape.num_channels)
        if frame.sample_rate != self._shape.sample_rate:
            if not MIN_RATE_HZ <= frame.sample_rate <= MAX_RATE_HZ:
                raise ValueError(f"a frame at {frame.sample_rate} Hz")
            samples = soxr.resample(samples.T, frame.sample_rate, self._shape.sample_rate).T
        return samples

    def _cover(self, first: int, last: int) -> None:
        if self.covered and self.covered[-1][0] <= first <= self.covered[-1][1]:
            self.covered[-1] = (self.covered[-1][0], max(last, self.covered[-1][1]))
        else:
            self.covered.append((first, last))

    def settle(self) -> None:
        """Replace samples that are no numbers by silence, and count them as a flaw."""
        if not np.isfinite(self.samples.sum(dtype=np.float64)):
            self.flaws += 1
            np.nan_to_num(self.samples, copy=False, nan=0.0, posinf=0.0, neginf=0.0)


def _planar(frame: AudioFrame) -> npt.NDArray[np.float32]:
    channels = frame.layout.nb_channels
    if frame.format.is_planar and channels >= UNSAFE_PLANES:
        frame = AudioResampler(frame.format.packed, frame.layout).resample(frame)[0]
    samples = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, channels).T
    kind = samples.dtype.str[1:]
    if kind == "u1":
        return (samples.astype(np.float32) - 128) * np.float32(256)
    return samples.astype(np.float32) * np.float32(FULL_SCALE[kind])


def _same_channels(samples: npt.NDArray[np.float32], count: int) -> npt.NDArray[np.float32]:
    """As many channels as the recording began with: one is repeated, more are cut, missing ones are silent."""
    if samples.shape[0] == 1:
        return np.repeat(samples, count, axis=0)
    missing = max(0, count - samples.shape[0])
    return np.pad(samples[:count], ((0, missing), (0, 0)))
