"""Work of a fixed shape over fixed addresses: recorded once on a GPU and replayed, simply done on a CPU."""

import contextlib
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import torch

_WARM_UPS = 2  # libraries choose their kernels and take their workspace in the first call
_RECORDING = threading.Lock()
"""CUDA records one graph at a time in a process."""
_sides: dict[int, torch.cuda.Stream] = {}
"""GPU -> the stream for recording on it; one for all, since for each that a thread multiplies matrices on, cuBLAS keeps
8 to 32 MB for good."""


class Replay:
    """A function of two sizes that works on tensors which stay where they are.

    A step of 28 layers is some 450 launches; a graph of them is one.
    """

    def __init__(
        self, work: Callable[[int, int], None], device: torch.device, siblings: "weakref.WeakSet[Replay]"
    ) -> None:
        """Record nothing yet.

        Args:
            work: waits for nothing, leaves nothing but in tensors that are there already.
            device: where it works.
            siblings: share one pool of memory: they take turns, and nobody reads what another one left in it.
        """
        self._work = work
        self._is_recorded = device.type == "cuda"
        self._graphs: dict[tuple[int, int], torch.cuda.CUDAGraph] = {}
        self._siblings = siblings
        siblings.add(self)

    def has(self, rows: int, positions: int) -> bool:
        """Whether this can be done as it is."""
        return not self._is_recorded or (rows, positions) in self._graphs

    def record(self, rows: int, positions: int) -> None:
        """Do the work a few times, then record it; whoever calls sees to it that doing it now does no harm.

        Source: "CUDA Graphs" in torch's documentation: a warm-up on a side stream, then the capture.
        """
        graph = torch.cuda.CUDAGraph()
        with _RECORDING, _aside(side := _side()):
            # Other threads may copy and allocate meanwhile; only this one must not.
            recording = torch.cuda.graph(graph, self._pool(), side, capture_error_mode="thread_local")
            for _ in range(_WARM_UPS):
                self._work(rows, positions)
            with recording:
                self._work(rows, positions)
        self._graphs[rows, positions] = graph

    def __call__(self, rows: int, positions: int) -> None:
        """Do the work; on a GPU it must have been recorded."""
        if self._is_recorded:
            self._graphs[rows, positions].replay()
        else:
            self._work(rows, positions)

    def _pool(self) -> Any:
        """The memory of any living graph; None: there is none yet. A pool dies with its last graph."""
        return next((graph.pool() for replay in self._siblings for graph in replay._graphs.values()), None)


def _side() -> torch.cuda.Stream:
    """The stream for recording on the current GPU; whoever asks holds `_RECORDING`."""
    number = torch.cuda.current_device()
    if number not in _sides:
        _sides[number] = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    return _sides[number]


@contextlib.contextmanager
def _aside(side: torch.cuda.Stream) -> Iterator[None]:
    """Work on another stream, after all that was asked of this one and before all that will be.

    That holds where the work fails, too: its memory is given back then, which must wait for what is still under way,
    and a recording that fails at its end leaves its stream the current one.
    """
    before = torch.cuda.current_stream()
    side.wait_stream(before)
    try:
        with torch.cuda.stream(side):
            yield
    finally:
        before.wait_stream(side)
