"""Frames that follow each other without a gap go to the canvas together: there are many, and each costs as much."""

from typing import cast

from av.audio.fifo import AudioFifo
from av.audio.frame import AudioFrame

from funasr_beam.model.audio.canvas import UNSAFE_PLANES, Canvas, Clock
from funasr_beam.model.audio.container import AudioShape

MOST_S = 2.0
"""So much is held back at most: what lies behind the end of a canvas is decoded in vain."""


class Joiner:
    """Lays frames on a canvas as `Canvas.lay` would one by one.

    The first frame of a run finds its place on the canvas by itself; the others are joined to one as long as each has
    the time stamp at which the one before it ended.
    """

    def __init__(self, canvas: Canvas, shape: AudioShape, clock: Clock) -> None:
        self._canvas = canvas
        self._shape = shape
        ticks, rest = divmod(clock.tick[1], clock.tick[0])
        self._sample_ticks = ticks if rest == 0 and shape.num_channels < UNSAFE_PLANES else 0  # 0: nothing is joined
        self._most = round(MOST_S * shape.sample_rate)
        self._fifo = AudioFifo()
        self._next_pts: int | None = None
        self._shift_s = 0.0
        self._room = 0  # samples until something is to be seen on the canvas
        self._held = 0

    def lay(self, frame: AudioFrame, shift_s: float, fallback_s: float) -> None:
        """Take a frame; the arguments are those of `Canvas.lay`."""
        pts, count = frame.pts, frame.samples
        if pts is not None and self._follows(pts, count, shift_s) and self._hold(frame):
            self._next_pts = pts + count * self._sample_ticks
            self._held += count
            if self._held >= self._room:
                self.flush()
            return
        self.flush()
        frame.pts = pts
        self._canvas.lay(frame, shift_s, fallback_s)
        self._shift_s = shift_s
        self._next_pts = pts + count * self._sample_ticks if pts is not None and self._sample_ticks else None
        self._room = min(self._most, self._canvas.room)

    def _follows(self, pts: int, count: int, shift_s: float) -> bool:
        """Whether a frame of `count` samples lies where the run that it would be joined to puts it."""
        # Only a frame of some length is laid off its time stamp; a shorter one goes where its stamp says.
        return pts == self._next_pts and shift_s == self._shift_s and count >= 2 * self._canvas.drift

    def _hold(self, frame: AudioFrame) -> bool:
        """Whether the frame is like those that are held; if so, it is one of them now."""
        if frame.layout.nb_channels != self._shape.num_channels:  # the library would not notice
            return False
        frame.pts = None  # the library would want stamps from 0 on
        try:
            self._fifo.write(frame)
        except ValueError:  # of another format or rate
            return False
        return True

    def flush(self) -> None:
        """Lay what is held."""
        if self._held:
            joined = cast("AudioFrame", self._fifo.read())
            joined.pts = cast("int", self._next_pts) - self._held * self._sample_ticks
            self._held = 0
            self._canvas.lay(joined, self._shift_s, 0.0)
            self._room = min(self._most, self._canvas.room)
