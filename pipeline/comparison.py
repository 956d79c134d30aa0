"""Whether two outputs say the same, apart from the columns that name the run."""

import hashlib
import json
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from funasr_beam.model.storage import Folder
from funasr_beam.model.tables import RUN_COLUMNS, TABLES
from funasr_beam.pipeline.current import current_batches

TOLERANCE = 1e-4
"""Scores depend on the batch by their last bits (about 1e-7), times are written with four decimals."""

_KEYS = {
    "recordings": ("recording_id",),
    "segments": ("segment_id",),
    "speech": ("recording_id", "channel", "start"),
}


@dataclass(frozen=True)
class Difference:
    """One row that is not the same in both outputs."""

    table: str
    key: str
    detail: str


@dataclass(frozen=True)
class _Row:
    """A row as small as it can be: its numbers, and a digest of all the rest."""

    digest: bytes
    numbers: "array[float]"

    def says_the_same(self, other: "_Row") -> bool:
        """Whether texts are equal, and scores and times but for rounding."""
        return self.digest == other.digest and all(
            abs(a - b) <= TOLERANCE for a, b in zip(self.numbers, other.numbers, strict=True)
        )


def compare_outputs(first: Folder, second: Folder) -> Iterator[Difference]:
    """Every row that differs, table by table; nothing where both outputs say the same."""
    for table in TABLES:
        left, right = (_digests(output, table) for output in (first, second))
        for key in sorted(left.keys() | right.keys()):
            if key not in right or key not in left:
                yield Difference(table, key, f"only in {(first if key in left else second).show()}")
            elif not left[key].says_the_same(right[key]):
                yield Difference(table, key, _explain(*(_find(output, table, key) for output in (first, second))))


def _digests(output: Folder, table: str) -> dict[str, _Row]:
    """A digest of each current row; the rows themselves would not fit into memory."""
    return {_key(table, row): _condense(row) for row in _current(output, table)}


def _find(output: Folder, table: str, key: str) -> dict[str, Any]:
    return next(row for row in _current(output, table) if _key(table, row) == key)


def _current(output: Folder, table: str) -> Iterator[dict[str, Any]]:
    for batch in current_batches(output, table):
        yield from batch.to_pylist()


def _condense(row: dict[str, Any]) -> _Row:
    numbers = array("d")
    rest = {name: _without_numbers(value, numbers) for name, value in row.items() if name not in RUN_COLUMNS}
    text = json.dumps(rest, sort_keys=True, ensure_ascii=False, default=str)
    return _Row(hashlib.sha256(text.encode()).digest(), numbers)


def _without_numbers(value: Any, numbers: "array[float]") -> Any:
    """The value with its floats moved to `numbers`, so that equal digests have equally many."""
    if isinstance(value, float):
        numbers.append(value)
        return "float"
    if isinstance(value, dict):
        return {name: _without_numbers(inner, numbers) for name, inner in value.items()}
    if isinstance(value, list):
        return [_without_numbers(inner, numbers) for inner in value]
    return value


def _explain(left: dict[str, Any], right: dict[str, Any]) -> str:
    changed = [name for name in left if name not in RUN_COLUMNS and left[name] != right.get(name)]
    return "; ".join(f"{name}: {_short(left[name])} | {_short(right.get(name))}" for name in changed)


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else text[:77] + "..."


def _key(table: str, row: dict[str, Any]) -> str:
    parts = (row[name] for name in _KEYS[table])
    return "/".join(f"{part:.3f}" if isinstance(part, float) else str(part) for part in parts)
