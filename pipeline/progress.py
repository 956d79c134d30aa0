"""Progress, watched from outside: it counts committed units, so it works on every engine and after every restart."""

import logging
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from funasr_beam.model.commits import CommittedUnits
from funasr_beam.model.records import Seconds
from funasr_beam.pipeline.console import Console
from funasr_beam.pipeline.length_guess import LengthGuess

if TYPE_CHECKING:
    from funasr_beam.pipeline.plan import Plan

_LOG_EVERY_S = 60.0
_REST = 10  # so many times as long as a look took, until the next one
_log = logging.getLogger("funasr_beam")


@dataclass(frozen=True)
class Snapshot:
    """How far a run is."""

    recordings: int
    recordings_total: int
    audio_s: Seconds
    total_s: Seconds  # 0: nobody knows yet
    failed: int
    wall_s: Seconds

    @property
    def rtfx(self) -> float:
        """Audio seconds for each second of wall time, in this session."""
        return self.audio_s / self.wall_s if self.wall_s > 0 else 0.0


class Display(Protocol):
    """Shows how far a run is."""

    def phase(self, text: str) -> None:
        """Another phase has begun."""

    def show(self, snapshot: Snapshot) -> None:
        """The run has come this far."""

    def close(self) -> None:
        """Nothing more will come."""


class Watch(Protocol):
    """Counts committed work."""

    def look(self) -> Snapshot:
        """How far the run is."""


@dataclass
class UnitWatch:
    """Counts what has been committed, reading each new unit's footer once; looks less often where that takes long."""

    committed: CommittedUnits
    plan: "Plan"
    clock: Callable[[], float] = time.monotonic
    audio_s: Seconds = 0.0

    def __post_init__(self) -> None:
        self._began = self._next = self.clock()
        self._waiting = {unit.name: unit for unit in self.plan.files.unit_facts()}
        self._open = sum(unit.recordings for unit in self._waiting.values())
        self._guess = LengthGuess()
        self._failed: set[str] = set()

    def look(self) -> Snapshot:
        """Count what has come since the last look."""
        if (now := self.clock()) >= self._next:
            for name in self._waiting.keys() & set(self.committed.names()):
                self._count(name)
            self._next = self.clock() + _REST * (self.clock() - now)
        totals = self.plan.totals
        return Snapshot(
            totals.recordings - self._open,
            totals.recordings,
            self.audio_s,
            self._total_s(),
            totals.failed + len(self._failed),
            self.clock() - self._began,
        )

    def uncommitted(self) -> int:
        """How many units are still missing."""
        return len(set(self._waiting) - set(self.committed.names()))

    def _count(self, name: str) -> None:
        summary, unit = self.committed.summary(name), self._waiting.pop(name)
        self.audio_s += summary.audio_s
        self._guess.learn(unit, summary.audio_s)
        self._failed |= set(summary.failed_recordings)
        self._open -= unit.recordings

    def _total_s(self) -> Seconds:
        """What is done, and what is left as far as it is known; 0: it is not."""
        left_s = sum(unit.audio_s for unit in self._waiting.values())
        guessed_s = sum(unit.guessed_s for unit in self._waiting.values())
        is_known = self._guess.is_good_for(left_s, guessed_s)
        return self.audio_s + self._guess.corrected_s(left_s, guessed_s) if is_known else 0.0


class LogDisplay:
    """One line a minute, for logs."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._next = 0.0

    def phase(self, text: str) -> None:
        """A line for the phase."""
        _log.info("%s", text)

    def show(self, snapshot: Snapshot) -> None:
        """A line, if the last one is a minute old."""
        if self._clock() >= self._next:
            self._next = self._clock() + _LOG_EVERY_S
            _log.info("%s", _line(snapshot))

    def close(self) -> None:
        """Nothing to put away."""


class BarDisplay:
    """A bar on a terminal."""

    def __init__(self, console: Console) -> None:
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            TextColumn("{task.fields[line]}"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self._task = self._bar.add_task("", total=None, line="")
        self._bar.start()

    def phase(self, text: str) -> None:
        """Show the phase before the bar."""
        self._bar.update(self._task, description=text, completed=0, total=None, line="")

    def show(self, snapshot: Snapshot) -> None:
        """Move the bar."""
        self._bar.update(self._task, completed=snapshot.audio_s, total=snapshot.total_s or None, line=_line(snapshot))

    def close(self) -> None:
        """Take the bar off the terminal."""
        self._bar.stop()


def make_display() -> Display:
    """A bar where somebody looks on, lines in a log otherwise."""
    if sys.stderr.isatty():
        return BarDisplay(Console(stderr=True))
    return LogDisplay()


def _line(snapshot: Snapshot) -> str:
    total = f"/{snapshot.total_s / 3600:.2f}" if snapshot.total_s else ""
    return (
        f"{snapshot.recordings:,}/{snapshot.recordings_total:,} recordings, "
        f"{snapshot.audio_s / 3600:.2f}{total} h audio, "
        f"{snapshot.rtfx:.0f}x, {snapshot.failed} failed"
    )
