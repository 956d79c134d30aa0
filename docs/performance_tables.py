"""The tables of performance.md, from the stored results of the benchmarks of speed."""

import json
from pathlib import Path
from typing import Any

from benchmarks import tables

RESULTS = Path(__file__).parent.parent / "benchmarks" / "results"
PREFIXES = {"recognizer": "make bench-gpu", "end_to_end": "make bench-gpu-end"}
NOT_YET = "Not measured yet: `{}`."


def parts() -> dict[str, str]:
    """The marked parts of the page."""
    return {
        "gpu": gpu(),
        "gpu-end": _of_gpus("end_to_end", tables.end_to_end),
        "cpu": _one("recognizer_cpu", "make bench", tables.recognizer),
        "precision": _one("cpu_precision", "python -m benchmarks.cpu_precision --store", tables.precision),
        "end": _one("end_to_end_cpu", "make bench", tables.end_to_end),
        "host": _one("host_path", "python -m benchmarks.host_path --store", tables.host_path),
        "threads": _one("host_scaling", "python -m benchmarks.host_scaling --store", tables.host_scaling),
        "padding": _one("recognizer_cpu", "make bench", tables.padding),
        "cards": _one("memory_model", "python -m benchmarks.memory_model --store", tables.cards),
    }


def gpu() -> str:
    """The recogniser on each GPU that there is a result of."""
    return _of_gpus("recognizer", tables.recognizer)


def _of_gpus(prefix: str, show: Any) -> str:
    found = sorted(path.stem for path in RESULTS.glob(f"{prefix}_*.json") if path.stem != f"{prefix}_cpu")
    if not found:
        return NOT_YET.format(PREFIXES[prefix])
    return "\n\n".join(_one(name, PREFIXES[prefix], show) for name in found)


def _one(name: str, command: str, show: Any) -> str:
    path = RESULTS / f"{name}.json"
    if not path.exists():
        return NOT_YET.format(command)
    text: str = show(json.loads(path.read_text(encoding="utf-8")))
    return text
