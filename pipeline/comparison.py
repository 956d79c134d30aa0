"""Whether two outputs say the same, apart from the columns that name the run."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from funasr_beam.model.storage import Folder
from funasr_beam.model.tables import RUN_COLUMNS, TABLES
from funasr_beam.pipeline.current import RowKey, current_keys, rows_of

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
    run_id: str
    digest: bytes


def compare_outputs(first: Folder, second: Folder) -> Iterator[Difference]:
    """Every row that differs, table by table; nothing where both outputs say the same."""
    keys = [(output, current_keys(output)) for output in (first, second)]
    for table in TABLES:
        left, right = (_digests(output, table, current) for output, current in keys)
        for key in sorted(left.keys() | right.keys()):
            if key not in right or key not in left:
                yield Difference(table, key, f"only in {(first if key in left else second).show()}")
            elif left[key].digest != right[key].digest:
                rows = [_find(output, table, key, found[key]) for output, found in ((first, left), (second, right))]
                yield Difference(table, key, _explain(*rows))


def _digests(output: Folder, table: str, current: dict[RowKey, dict[str, Any]]) -> dict[str, _Row]:
    """A digest of each current row; the rows themselves would not fit into memory."""
    found = {}
    for run_id in sorted({key.run_id for key in current}):
        for row in rows_of(output, table, run_id):
            if RowKey(run_id, row["recording_id"]) in current:
                found[_key(table, row)] = _Row(run_id, hashlib.sha256(_canonical(row)).digest())
    return found


def _find(output: Folder, table: str, key: str, row: _Row) -> dict[str, Any]:
    return next(found for found in rows_of(output, table, row.run_id) if _key(table, found) == key)


def _explain(left: dict[str, Any], right: dict[str, Any]) -> str:
    changed = [name for name in left if name not in RUN_COLUMNS and left[name] != right.get(name)]
    return "; ".join(f"{name}: {_short(left[name])} | {_short(right.get(name))}" for name in changed)


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else text[:77] + "..."


def _key(table: str, row: dict[str, Any]) -> str:
    return "/".join(str(row[name]) for name in _KEYS[table])


def _canonical(row: dict[str, Any]) -> bytes:
    kept = {name: value for name, value in row.items() if name not in RUN_COLUMNS}
    return json.dumps(kept, sort_keys=True, ensure_ascii=False, default=str).encode()
