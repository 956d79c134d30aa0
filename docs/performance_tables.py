"""The tables of performance.md, from the stored results of the benchmarks of speed."""

from collections.abc import Callable, Mapping
from typing import Any

from benchmarks import tables
from docs.results import RESULTS, is_measured, result

Show = Callable[[Mapping[str, Any]], str]
PREFIXES = {"recognizer": "make bench-gpu", "end_to_end": "make bench-gpu-end"}
NOT_YET = "Not measured yet: `{}`."


def parts() -> dict[str, str]:
    """The marked parts of the page."""
    return {
        "gpu": _of_gpus("recognizer", tables.recognizer),
        "gpu-end": _of_gpus("end_to_end", tables.end_to_end),
        "cpu": _one("recognizer_cpu", "make bench", tables.recognizer),
        "precision": _one("cpu_precision", "python -m benchmarks.cpu_precision --store", tables.precision),
        "end": _one("end_to_end_cpu", "make bench", tables.end_to_end),
        "host": _one("host_path", "python -m benchmarks.host_path --store", tables.host_path),
        "threads": _one("host_scaling", "python -m benchmarks.host_scaling --store", tables.host_scaling),
        "devices": _one("device_share", "python -m benchmarks.device_share --store", tables.device_share),
        "launches": _one("launches", "python -m benchmarks.launches --store", tables.launches),
        "padding": _one("recognizer_cpu", "make bench", tables.padding),
        "cards": _one("memory_model", "python -m benchmarks.memory_model --store", tables.cards),
    }


def _of_gpus(prefix: str, show: Show) -> str:
    found = sorted(path.stem for path in RESULTS.glob(f"{prefix}_*.json") if path.stem != f"{prefix}_cpu")
    if not found:
        return NOT_YET.format(PREFIXES[prefix])
    return "\n\n".join(show(result(name)) for name in found)


def _one(name: str, command: str, show: Show) -> str:
    return show(result(name)) if is_measured(name) else NOT_YET.format(command)
