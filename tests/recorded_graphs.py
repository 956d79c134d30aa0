"""CUDA graphs without a GPU: what is recorded is not done; replaying does it again over the same memory."""

from contextlib import nullcontext
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from funasr_beam.model.recognizers.decoding import pool
from funasr_beam.model.recognizers.decoding.graphs import Replay


class Graph:
    """Operations with the tensors that they read, and those that they fill."""

    def __init__(self) -> None:
        self.operations: list[tuple[Any, Any, Any, Any]] = []
        self.replays = 0

    def pool(self) -> tuple[int, int]:
        return (0, 1)

    def replay(self) -> None:
        """Do all of it; numbers that Python saw while it was recorded are what they were."""
        self.replays += 1
        for func, args, kwargs, filled in self.operations:
            results = func(*args, **kwargs)
            for new, old in zip(_tensors(results) if filled else [], filled, strict=True):
                old.copy_(new)


class Capture(TorchDispatchMode):
    """Stands in for `torch.cuda.graph`."""

    def __init__(self, graph: Graph, pool: Any = None, capture_error_mode: str = "global") -> None:
        super().__init__()
        assert capture_error_mode == "thread_local"
        self.graph = graph

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        with self:  # what is made of others is recorded as those
            results = func.decompose(*args, **kwargs)
        if results is not NotImplemented:
            return results
        aliases = [item.alias_info for item in func._schema.returns]
        if any(alias is not None and alias.is_write for alias in aliases):
            self.graph.operations.append((func, args, kwargs, []))
            return args[0]
        results = func(*args, **kwargs)
        if not any(aliases):  # a view stays a view of the same memory
            self.graph.operations.append((func, args, kwargs, _tensors(results)))
        return results


class Stream:
    """Stands in for `torch.cuda.Stream`."""

    def wait_stream(self, stream: "Stream") -> None:
        assert stream is not self


def pretend_graphs(monkeypatch: pytest.MonkeyPatch) -> list[Graph]:
    """Let the engine record its steps; gives the graphs as they are made."""
    made: list[Graph] = []
    current = Stream()

    def make() -> Graph:
        made.append(Graph())
        return made[-1]

    def replay(work: Any, device: torch.device, siblings: Any) -> Replay:
        return Replay(work, torch.device("cuda"), siblings)

    for name, double in {
        "Stream": Stream,
        "current_stream": lambda: current,
        "stream": lambda stream: nullcontext(),
        "CUDAGraph": make,
        "graph": Capture,
    }.items():
        monkeypatch.setattr(torch.cuda, name, double)
    monkeypatch.setattr(pool, "Replay", replay)
    return made


def _tensors(results: Any) -> list[torch.Tensor]:
    results = results if isinstance(results, list | tuple) else [results]
    return [item for item in results if isinstance(item, torch.Tensor)]
