"""The native samples of one cell, put where their time stamps say."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import av.error
import numpy as np
import numpy.typing as npt
import soxr
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

from funasr_beam.model.audio.container import MAX_RATE_HZ, MIN_RATE_HZ, AudioShape, OpenAudio

SAMPLE_KINDS: dict[str, tuple[type[np.generic], float]] = {
    "u8": (np.uint8, 256.0),
    "s16": (np.int16, 1.0),
    "s32": (np.int32, 2.0**-16),
    "s64": (np.int64, 2.0**-48),
    "flt": (np.float32, 32_768.0),
    "dbl": (np.float64, 32_768.0),
}
"""ffmpeg's sample formats: their type, and what brings them to the range of int16."""

FRAME_KINDS = {name + suffix: (*kind, bool(suffix)) for name, kind in SAMPLE_KINDS.items() for suffix in ("", "p")}
"""The same with their planar variants, and whether it is one."""

UNSAFE_PLANES = 8
"""From so many planes on PyAV 18.1 reads memory that is none of the frame's, and crashes: interleave them first."""

MAX_SLACK_S = 0.02
"""A frame that is off by less than this follows the one before it: clocks jitter."""

Interval = tuple[int, int]


@dataclass(frozen=True)
class Clock:
    """From the ticks of a stream to native samples of the recording, in whole numbers: frames are many."""

    rate: int
    tick: tuple[int, int]  # native samples a tick: numerator, denominator
    zero: int  # native samples that the stream's clock shows at second 0 of the recording

    @classmethod
    def of(cls, audio: OpenAudio) -> "Clock":
        """The clock of an open recording."""
        rate = audio.shape.sample_rate
        tick = audio.tick_s * rate
        return cls(rate, (tick.numerator, tick.denominator), round(audio.zero_s * rate))

    def native(self, ticks: int) -> int:
        """The native sample nearest to a time stamp."""
        numerator, denominator = self.tick
        return (2 * ticks * numerator + denominator) // (2 * denominator) - self.zero

    @property
    def slack(self) -> float:
        """Native samples by which rounding to ticks may move a frame."""
        return 2 * self.tick[0] / self.tick[1] + 1


class Canvas:
    """Silence onto which decoded frames are laid; it remembers what was covered."""

    def __init__(self, shape: AudioShape, clock: Clock, start: int, length: int) -> None:
        self.samples = np.zeros((shape.num_channels, length), np.float32)
        self.covered: list[Interval] = []  # native samples of the recording, in order
        self.flaws = 0  # frames with times that run backwards, samples that are no numbers
        self.start, self.end = start, start + length
        self._shape = shape
        self._clock = clock
        self.drift = 0  # native samples between the last frame's time stamp and its place
        self._cursor: int | None = None

    @property
    def room(self) -> int:
        """Native samples until frames reach the end of the canvas."""
        return self.end - (self.start if self._cursor is None else self._cursor)

    @property
    def is_full(self) -> bool:
        """Whether frames have reached the end of the canvas."""
        return self.room <= 0

    def lay(self, frame: AudioFrame, shift_s: float, fallback_s: float) -> None:
        """Put a frame on the canvas; what sticks out is cut off.

        Args:
            frame: decoded samples of any type, rate and number of channels.
            shift_s: how much later than its time stamp the frame belongs.
            fallback_s: where the frame begins if it does not say.
        """
        try:
            samples = self._fit(frame)
        except (av.error.FFmpegError, ValueError, KeyError):
            self.flaws += 1  # of a shape that nothing can be made of: spoiled bytes
            return
        length = samples.rows[0].size
        begin = self._place(frame, shift_s, fallback_s, length)
        self._cursor = begin + length
        first, last = max(begin, self.start), min(begin + length, self.end)
        if first < last:
            samples.write(self.samples[:, first - self.start : last - self.start], first - begin)
            self._cover(first, last)

    def _place(self, frame: AudioFrame, shift_s: float, fallback_s: float, length: int) -> int:
        rate = self._clock.rate
        self.drift = 0
        if frame.pts is None:
            return self._cursor if self._cursor is not None else round(fallback_s * rate)
        stamped = self._clock.native(frame.pts) + round(shift_s * rate)
        if self._cursor is None or self._cursor < self.start:
            # Still warming up: nothing is heard yet, and a decoder without a past may have cut its first frame.
            return stamped
        drift = abs(stamped - self._cursor)
        if drift <= max(self._clock.slack, min(length / 2, MAX_SLACK_S * rate)):
            self.drift = drift
            return self._cursor
        self.flaws += stamped < self._cursor
        return stamped

    def _fit(self, frame: AudioFrame) -> "_Rows":
        """The channels of a frame, as many as the recording's and at its rate."""
        rows = _rows(frame)
        if len(rows.rows) == self._shape.num_channels and frame.sample_rate == self._shape.sample_rate:
            return rows
        samples = _same_channels(rows.whole(), self._shape.num_channels)
        if frame.sample_rate != self._shape.sample_rate:
            if not MIN_RATE_HZ <= frame.sample_rate <= MAX_RATE_HZ:
                raise ValueError(f"a frame at {frame.sample_rate} Hz")
            samples = soxr.resample(samples.T, frame.sample_rate, self._shape.sample_rate).T
        return _Rows(tuple(samples), 1.0)

    def _cover(self, first: int, last: int) -> None:
        if self.covered and self.covered[-1][0] <= first <= self.covered[-1][1]:
            self.covered[-1] = (self.covered[-1][0], max(last, self.covered[-1][1]))
        else:
            self.covered.append((first, last))

    def settle(self) -> None:
        """Replace samples that are no numbers by silence, and count them as a flaw."""
        with np.errstate(over="ignore", invalid="ignore"):
            total = self.samples.sum()
        # The sum needs one pass; where it is no number, the samples may just be too large for it.
        if not np.isfinite(total) and not np.isfinite(self.samples).all():
            self.flaws += 1
            np.nan_to_num(self.samples, copy=False, nan=0.0, posinf=0.0, neginf=0.0)


class _Rows(NamedTuple):
    """The channels of a frame where they lie; valid as long as the frame is."""

    rows: tuple[npt.NDArray[Any], ...]  # (frames,) of any type, one for each channel
    scale: float  # to the range of int16

    def write(self, target: npt.NDArray[np.float32], first: int) -> None:
        """Fill (channels, n) with the samples from `first` on, the one time that they are copied."""
        count = target.shape[1]
        for place, row in enumerate(self.rows):
            np.multiply(row[first : first + count], np.float32(self.scale), out=target[place])
        if self.rows[0].dtype == np.uint8:
            target -= np.float32(32_768)

    def whole(self) -> npt.NDArray[np.float32]:
        """(channels, frames) float32 in the range of int16."""
        samples = np.empty((len(self.rows), self.rows[0].size), np.float32)
        self.write(samples, 0)
        return samples


def _rows(frame: AudioFrame) -> _Rows:
    """The samples of a frame in its own planes; `to_ndarray` copies them three times."""
    channels, count = frame.layout.nb_channels, frame.samples
    if channels >= UNSAFE_PLANES and frame.format.is_planar:
        frame = AudioResampler(frame.format.packed, frame.layout).resample(frame)[0]
    kind, scale, is_planar = FRAME_KINDS[frame.format.name]
    if is_planar:
        return _Rows(tuple(np.frombuffer(memoryview(plane), kind, count) for plane in frame.planes), scale)
    packed = np.frombuffer(memoryview(frame.planes[0]), kind, count * channels).reshape(count, channels)
    return _Rows(tuple(packed.T), scale)


def _same_channels(samples: npt.NDArray[np.float32], count: int) -> npt.NDArray[np.float32]:
    """As many channels as the recording began with: one is repeated, more are cut, missing ones are silent."""
    if samples.shape[0] == 1:
        return np.repeat(samples, count, axis=0)
    missing = max(0, count - samples.shape[0])
    return np.pad(samples[:count], ((0, missing), (0, 0)))
