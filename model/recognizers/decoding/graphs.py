"""Work of a fixed shape over fixed addresses: recorded once on a GPU and replayed, simply done on a CPU."""

import weakref
from collections.abc import Callable
from typing import Any

import torch

_WARM_UPS = 2  # libraries choose their kernels and take their workspace in the first call


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
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(_WARM_UPS):
                self._work(rows, positions)
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        # Other threads may copy and allocate meanwhile; only this one must not.
        with torch.cuda.graph(graph, pool=self._pool(), capture_error_mode="thread_local"):
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
