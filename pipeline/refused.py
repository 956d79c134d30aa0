"""Engines that Beam knows and this pipeline refuses, each with the reason."""

from typing import Any

_REASONS = {
    "dask": "Beam's Dask runner loses data without a word: what a step writes at the end of a bundle, all outputs but "
    "one, mixed tags; it wrote 0 of 300 rows and said DONE (Beam 2.77)",
    "ray": "Beam's Ray runner is a prototype of 2022 that nobody maintains",
    "direct": "the name DirectRunner makes Beam download another engine first, without a time limit; local is the "
    "embedded engine",
    "prism": "Beam would have to download it first; local is the embedded engine",
    "interactive": "it is for notebooks; local is the embedded engine",
}
_NAMES = {"fnapi": "local", "portable": "flink or spark"}


def refuse_runner(name: Any) -> Any:
    """The name as it is, if this pipeline may run there.

    Raises:
        ValueError: it must not, and why.
    """
    if not isinstance(name, str):
        return name
    short = name.lower().rpartition(".")[2].removesuffix("runner")
    if short in _REASONS:
        raise ValueError(f"{_REASONS[short]}; use local, flink, dataflow or spark")
    if short in _NAMES:
        raise ValueError(f"is called {_NAMES[short]} here")
    return short if short in ("flink", "dataflow", "spark") else name
