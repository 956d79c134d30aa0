"""Progress, watched from outside: it counts committed units, so it works on every engine and after every restart."""

import logging
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from funasr_beam.model.commits import CommittedUnits
from funasr_beam.model.records import Seconds
from funasr_beam.pipeline.plan import Plan

_LOG_EVERY_S = 60.0
_log = logging.getLogger("funasr_beam")


@dataclass(frozen=True)
class Snapshot:
    """How far a run is."""

    recordings: int
    recordings_total: int
    audio_s: Seconds
    total_s: Seconds
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


@dataclass
class UnitWatch:
    """Counts what has been committed, reading each new unit's footer once."""

    committed: CommittedUnits
    plan: Plan
    clock: Callable[[], float] = time.monotonic
    seen: set[str] = field(default_factory=set)
    audio_s: Seconds = 0.0
    failed: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._began = self.clock()
        self._waiting = {unit.name: {span.recording.id for span in unit.spans} for unit in self.plan.units}
        self._open = {recording for ids in self._waiting.values() for recording in ids}
        self.failed |= {item.recording.id for item in self.plan.recordings if item.failure and not item.skipped}

    def look(self) -> Snapshot:
        """Count what has come since the last look."""
        for name in set(self.committed.names()) & set(self._waiting) - self.seen:
            summary = self.committed.summary(name)
            self.seen.add(name)
            self.audio_s += summary.audio_s
            self.failed |= set(summary.failed_recordings)
        still_open = {recording for name, ids in self._waiting.items() if name not in self.seen for recording in ids}
        total = len(self.plan.recordings)
        return Snapshot(
            total - len(still_open),
            total,
            self.audio_s,
            self.plan.total_s - self.plan.done_s,
            len(self.failed),
            self.clock() - self._began,
        )


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
    return (
        f"{snapshot.recordings:,}/{snapshot.recordings_total:,} recordings, "
        f"{snapshot.audio_s / 3600:.2f}/{snapshot.total_s / 3600:.2f} h audio, "
        f"{snapshot.rtfx:.0f}x, {snapshot.failed} failed"
    )
