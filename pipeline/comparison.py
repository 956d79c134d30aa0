"""Whether two outputs say the same, apart from the columns that name the run."""

import hashlib
import json
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from funasr_beam.model.storage import Folder
from funasr_beam.model.tables import RUN_COLUMNS, TABLES
from funasr_beam.pipeline.current import batches_about, current_rows
from funasr_beam.pipeline.views import open_views

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
    """Every row that differs, table by table; nothing where both outputs say the same.

    Recordings whose rows are equal to the last bit are told by DuckDB's hashes; only the others are looked at.
    """
    for table in TABLES:
        ids = _unequal(*(_hashes(output, table) for output in (first, second)))
        if not len(ids):
            continue
        left, right = (_digests(output, table, ids) for output in (first, second))
        for key in sorted(left.keys() | right.keys()):
            if key not in right or key not in left:
                yield Difference(table, key, f"only in {(first if key in left else second).show()}")
            elif not left[key].says_the_same(right[key]):
                yield Difference(table, key, _explain(*(_find(output, table, key, ids) for output in (first, second))))


def _hashes(output: Folder, table: str) -> pa.Table:
    """For each recording the number of its current rows, and a hash of what they say."""
    columns = ", ".join(f'"{name}"' for name in TABLES[table].names if name not in RUN_COLUMNS)
    with open_views(output, must_be_whole=False) as connection:
        connection.register("empty", TABLES[table].empty_table())  # outputs of earlier versions lack columns
        rows = f"SELECT {columns} FROM (SELECT * FROM {table} UNION ALL BY NAME SELECT * FROM empty)"
        hashed = f"SELECT recording_id, count(*) AS rows, bit_xor(hash(t)) AS hash FROM ({rows}) AS t GROUP BY 1"
        return connection.sql(hashed).to_arrow_table()


def _unequal(left: pa.Table, right: pa.Table) -> pa.ChunkedArray:
    """The ids of recordings whose rows are not the same."""
    both = left.join(right, "recording_id", join_type="full outer", right_suffix="_right")
    same = pc.and_(pc.equal(both["rows"], both["rows_right"]), pc.equal(both["hash"], both["hash_right"]))
    return both["recording_id"].filter(pc.invert(pc.fill_null(same, False)))


def _digests(output: Folder, table: str, ids: pa.ChunkedArray) -> dict[str, _Row]:
    """A digest of each current row of these recordings; the rows themselves would not fit into memory."""
    return {_key(table, row): _condense(row) for row in _current(output, table, ids)}


def _find(output: Folder, table: str, key: str, ids: pa.ChunkedArray) -> dict[str, Any]:
    return next(row for row in _current(output, table, ids) if _key(table, row) == key)


def _current(output: Folder, table: str, ids: pa.ChunkedArray) -> Iterator[dict[str, Any]]:
    recordings = current_rows(output)
    about = recordings.filter(pc.is_in(recordings["recording_id"], value_set=ids))
    for batch in batches_about(about, output, table):
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
