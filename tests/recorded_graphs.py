"""CUDA graphs without a GPU: what is recorded is not done; replaying does it again over the same memory."""

from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from funasr_beam.model.recognizers.decoding import graphs, pool
from funasr_beam.model.recognizers.decoding.graphs import Replay


class Graph:
    """Operations with the tensors that they read, and those that they fill."""

    def __init__(self) -> None:
        self.operations: list[tuple[Any, Any, Any, Any]] = []
        self.replays = 0

    def pool(self) -> tuple[int, int]:
        return (0, 1)

    def end(self) -> None:
        """The recording ends."""

    def replay(self) -> None:
        """Do all of it; numbers that Python saw while it was recorded are what they were."""
        self.replays += 1
        for func, args, kwargs, filled in self.operations:
            results = func(*args, **kwargs)
            for new, old in zip(_tensors(results) if filled else [], filled, strict=True):
                old.copy_(new)


class Recording:
    """Stands in for `torch.cuda.graph`, which leaves its stream the current one where it fails at its end."""

    def __init__(self, graph: Graph, pool: Any, stream: "Stream", capture_error_mode: str = "global") -> None:
        assert capture_error_mode == "thread_local"
        self.graph, self.operations = graph, Operations(graph)
        self.in_stream = torch.cuda.stream(stream)

    def __enter__(self) -> None:
        self.in_stream.__enter__()
        self.operations.__enter__()

    def __exit__(self, *error: Any) -> None:
        self.operations.__exit__(*error)
        self.graph.end()
        self.in_stream.__exit__(*error)


class Operations(TorchDispatchMode):
    """Notes what is done in a graph."""

    def __init__(self, graph: Graph) -> None:
        super().__init__()
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

    def __init__(self) -> None:
        self.waited_for: list[Stream] = []

    def wait_stream(self, stream: "Stream") -> None:
        assert stream is not self
        self.waited_for.append(stream)


class Streams:
    """Knows which stream is the current one."""

    def __init__(self) -> None:
        self.current = Stream()

    def use(self, stream: Stream) -> "InStream":
        """Stands in for `torch.cuda.stream`."""
        return InStream(self, stream)


class InStream:
    """What `torch.cuda.stream` gives; no generator, which would go back by itself when it is forgotten."""

    def __init__(self, streams: Streams, stream: Stream) -> None:
        self.streams, self.stream = streams, stream

    def __enter__(self) -> None:
        self.before, self.streams.current = self.streams.current, self.stream

    def __exit__(self, *error: object) -> None:
        self.streams.current = self.before


def pretend_graphs(monkeypatch: pytest.MonkeyPatch) -> list[Graph]:
    """Let the engine record its steps; gives the graphs as they are made."""
    made: list[Graph] = []
    streams = Streams()

    def make() -> Graph:
        made.append(Graph())
        return made[-1]

    def replay(work: Any, device: torch.device, siblings: Any) -> Replay:
        return Replay(work, torch.device("cuda"), siblings)

    for name, double in {
        "Stream": Stream,
        "current_device": lambda: 0,
        "current_stream": lambda: streams.current,
        "stream": streams.use,
        "CUDAGraph": make,
        "graph": Recording,
    }.items():
        monkeypatch.setattr(torch.cuda, name, double)
    monkeypatch.setattr(graphs, "_sides", {})
    monkeypatch.setattr(pool, "Replay", replay)
    return made


def _tensors(results: Any) -> list[torch.Tensor]:
    results = results if isinstance(results, list | tuple) else [results]
    return [item for item in results if isinstance(item, torch.Tensor)]
