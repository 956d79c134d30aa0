"""Where a recogniser's time goes: seconds by stage, which add up."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from funasr_beam.model.records import Seconds

FEATURES, ENCODER, PREFILL, DECODE, ALIGN = "features", "encoder", "prefill", "decode", "align"
"""The stages of a recogniser; `DECODE` is measured once for each step, so that its count is their number."""


@dataclass(frozen=True)
class StageTime:
    """What one stage took."""

    seconds: Seconds = 0.0  # without the stages that were measured inside it
    count: int = 0


@dataclass
class _Open:
    """A measurement under way."""

    began_s: Seconds
    inner_s: Seconds = 0.0


@dataclass
class _Running(threading.local):
    """Each thread's own measurements under way, the innermost last."""

    stack: list[_Open] = field(default_factory=list)


class StageClock:
    """Sums of wall clock time by stage, over all threads.

    A stage that is measured inside another one is not counted twice, so that the sum over the stages of one thread is
    the time that it spent in them. Two readings of the clock and a lock for each measurement: a microsecond.
    """

    def __init__(
        self, synchronize: Callable[[], object] | None = None, now: Callable[[], Seconds] = time.perf_counter
    ) -> None:
        """A clock that stands at zero.

        Args:
            synchronize: waits until a device has done what it was asked, before each reading of the clock; for
                benchmarks alone, since a device that is waited for does not get its next work meanwhile.
                None: a stage is charged what its thread waited for.
            now: what is read; `time.thread_time` charges the CPU seconds of the thread instead.
        """
        self._synchronize = synchronize
        self._read = now
        self._lock = threading.Lock()
        self._stages: dict[str, StageTime] = {}
        self._running = _Running()

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Charge what happens inside to the stage, also when it fails."""
        stack = self._running.stack
        stack.append(_Open(self._now()))
        try:
            yield
        finally:
            ended = stack.pop()
            took_s = self._now() - ended.began_s
            if stack:
                stack[-1].inner_s += took_s
            self.add(stage, took_s - ended.inner_s)

    def add(self, stage: str, seconds: Seconds) -> None:
        """Charge seconds that were measured elsewhere, as those of another process."""
        self._add(stage, StageTime(seconds, 1))

    def merge(self, stages: Mapping[str, StageTime]) -> None:
        """Charge what was measured elsewhere while this thread waited for it, and not the stage in which it waited."""
        if self._running.stack:
            self._running.stack[-1].inner_s += sum(spent.seconds for spent in stages.values())
        for stage, spent in stages.items():
            self._add(stage, spent)

    def read(self) -> dict[str, StageTime]:
        """What all stages took so far; those under way are not among it."""
        with self._lock:
            return dict(self._stages)

    def seconds(self) -> dict[str, Seconds]:
        """Seconds of all stages so far."""
        return {stage: found.seconds for stage, found in self.read().items()}

    def take(self) -> dict[str, StageTime]:
        """What all stages took so far, and back to zero."""
        with self._lock:
            taken, self._stages = self._stages, {}
            return taken

    def reset(self) -> None:
        """Back to zero."""
        self.take()

    def __reduce__(self) -> tuple[type["StageClock"], tuple[()]]:
        """A clock that is sent elsewhere starts at zero there: neither locks nor a device can be sent."""
        return StageClock, ()

    def _add(self, stage: str, spent: StageTime) -> None:
        with self._lock:
            known = self._stages.get(stage, StageTime())
            self._stages[stage] = StageTime(known.seconds + spent.seconds, known.count + spent.count)

    def _now(self) -> Seconds:
        if self._synchronize is not None:
            self._synchronize()
        return self._read()
