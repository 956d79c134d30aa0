"""What the benchmarks stored."""

import json
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent.parent / "benchmarks" / "results"


def result(name: str) -> dict[str, Any]:
    """A stored result.

    Raises:
        FileNotFoundError: it was never measured.
    """
    content: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return content


def is_measured(name: str) -> bool:
    """Whether there is such a result."""
    return (RESULTS / f"{name}.json").exists()
