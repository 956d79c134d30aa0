"""What a thread worked, without waiting for its turn at a model or for what is loaded once, and had of a GPU."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from funasr_beam.model.records import Seconds


class _Own(threading.local):
    """What each thread waited and had so far."""

    waited_s: Seconds = 0.0  # for others to end their turns, and for what a process loads once
    gpu_s: Seconds = 0.0  # had a GPU; turns on a CPU are not among it


_own = _Own()


class Turn:
    """A lock around what is computed with one loaded model; what it costs is known to the thread that holds it.

    Without that, several threads at one GPU would each be charged for the time in which another one had it.
    """

    def __init__(self, *, on_gpu: bool) -> None:
        self._on_gpu = on_gpu
        self._lock = threading.Lock()
        self._began_s = 0.0

    def __enter__(self) -> None:
        """Wait until nobody else computes."""
        with waiting():
            self._lock.acquire()
        self._began_s = time.perf_counter()

    def __exit__(self, *error: object) -> None:
        """Let the next one compute."""
        took_s = time.perf_counter() - self._began_s
        self._lock.release()
        _own.gpu_s += took_s if self._on_gpu else 0.0


class Places:
    """Lets so many threads in at once; the others wait, which is no work of theirs."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._free = threading.Semaphore(count)
        self._clearing = threading.Lock()

    def __enter__(self) -> None:
        """Wait for a place."""
        with waiting():
            self._free.acquire()

    def __exit__(self, *error: object) -> None:
        """Leave it to the next one."""
        self._free.release()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """With all places for one thread."""
        with waiting(), self._clearing:  # two that wait for each other's places would wait for ever
            for _ in range(self._count):
                self._free.acquire()
        try:
            yield
        finally:
            self._free.release(self._count)


@contextmanager
def waiting() -> Iterator[None]:
    """What happens inside is no work of this thread's."""
    began_s = time.perf_counter()
    try:
        yield
    finally:
        _own.waited_s += time.perf_counter() - began_s


def charge(worked_s: Seconds, gpu_s: Seconds) -> None:
    """What another process worked, and had of a GPU, for this thread while that waited for it."""
    _own.waited_s -= worked_s
    _own.gpu_s += gpu_s


class Work:
    """The seconds of this thread since it began this piece of work."""

    def __init__(self) -> None:
        self._began_s, self._waited_s, self._gpu_s = time.perf_counter(), _own.waited_s, _own.gpu_s

    @property
    def worked_s(self) -> Seconds:
        """Without waiting."""
        return time.perf_counter() - self._began_s - (_own.waited_s - self._waited_s)

    @property
    def gpu_s(self) -> Seconds:
        """With a GPU for itself."""
        return _own.gpu_s - self._gpu_s
