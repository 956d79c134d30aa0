"""The current row of every recording: one rule, in one place. `latest_sql` says the same in SQL.

Of all rows that finished runs hold of a URI:

1. Only rows of its newest bytes count: the fingerprint in the newest run that could read one (a file that was away for
   a night has none, and hides nothing).
2. Of these, for each recording id, a good row (`ok`, `partial`, `no_speech`) beats any `failed` or `skipped` one: a
   failed retry never hides a transcript.
3. The configuration whose newest good row is the newest wins: another model is the user's will.
4. Within that configuration nothing is replaced by less: `ok` beats `partial`, which beats no text at all; of two
   `partial` rows the longer text wins.
5. What is still equal goes to the newer run.

Newer means a greater run id. A row keeps the id of the run that made it when `compact` moves it.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from funasr_beam.model.outcomes import GOOD_STATUSES
from funasr_beam.model.storage import Folder
from funasr_beam.model.tables import TABLES
from funasr_beam.pipeline.run_folder import batches_of, finished_run_ids, part_names

RULE_COLUMNS = ("recording_id", "uri", "fingerprint", "config_hash", "status", "num_characters", "run_id")
"""Columns of `recordings` that decide which row is current."""

RUN = "run"
"""Name of the column that tells in which run's folder a row lies; `run_id` tells which run made it."""

Mask = npt.NDArray[np.bool_]
_Codes = npt.NDArray[np.int64]


def current_rows(output: Folder, columns: Sequence[str] = ()) -> pa.Table:
    """The current rows of `recordings`: the columns of the rule, those asked for, and the folder (`run`)."""
    rows = stored_rows(output, columns)
    return rows.filter(pa.array(current_mask(rows)))


def batches_about(
    recordings: pa.Table, output: Folder, table: str, columns: Sequence[str] | None = None
) -> Iterator[pa.RecordBatch]:
    """What any table says about these rows of `recordings`, a bounded batch at a time, oldest run first.

    Args:
        recordings: such as `current_rows`.
        output: where they come from.
        table: its name.
        columns: None: all.
    """
    wanted = None if columns is None else [*columns, *({"recording_id"} - set(columns))]
    found = part_names(output, table)
    for run, ids in ids_by_run(recordings):
        for batch in batches_of(found.get(run, ()), output, table, wanted):
            kept = batch.filter(pc.is_in(batch["recording_id"], value_set=ids))
            if kept.num_rows:
                yield kept if columns is None else kept.select(list(columns))


def stored_rows(output: Folder, columns: Sequence[str] = (), also: Sequence[str] = ()) -> pa.Table:
    """All rows of `recordings` in finished runs (and the runs in `also`): narrow columns, and the folder (`run`)."""
    wanted = [*RULE_COLUMNS, *(name for name in columns if name not in RULE_COLUMNS)]
    found = part_names(output, "recordings")
    batches = [
        batch.append_column(RUN, pa.array([run] * batch.num_rows, pa.string()))
        for run in sorted({*finished_run_ids(output), *also} & found.keys())
        for batch in batches_of(found[run], output, "recordings", wanted)
    ]
    return pa.Table.from_batches(batches) if batches else _nothing(wanted)


def ids_by_run(rows: pa.Table) -> Iterator[tuple[str, pa.Array]]:
    """Recording ids by the folder that holds them, oldest first."""
    for run in sorted(pc.unique(rows[RUN]).to_pylist()):
        yield run, rows.filter(pc.field(RUN) == run)["recording_id"].combine_chunks()


def current_mask(rows: pa.Table) -> Mask:
    """Which of these rows are current, by the rule above."""
    return _winners(rows, lambda coded: [coded.extent, coded.worth, _config_newest(coded)])


def newest_mask(rows: pa.Table) -> Mask:
    """Which of these rows are the last that was said of the newest bytes, good or not."""
    return _winners(rows, lambda coded: [])


class _Coded:
    """The columns of the rule as numbers that sort as the texts do."""

    def __init__(self, rows: pa.Table) -> None:
        self.uri, self.id = _codes(rows["uri"]), _codes(rows["recording_id"])
        self.fingerprint, self.config = _codes(rows["fingerprint"]), _codes(rows["config_hash"])
        self.run, self.folder = _codes(rows["run_id"]), _codes(rows[RUN])
        self.known = _flags(pc.not_equal(pc.fill_null(rows["fingerprint"], ""), ""))
        self.worth, self.extent = _worth(rows)


def _winners(rows: pa.Table, merits: Callable[[_Coded], list[_Codes]]) -> Mask:
    """For each recording the one row of its newest bytes that has the greatest merits, and then is the newest."""
    mask = _has_newest_bytes(_Coded(rows))
    coded = _Coded(rows.filter(pa.array(mask)))
    winners = _last_of_each([coded.folder, coded.run, *merits(coded), coded.id, coded.uri], groups=2)
    kept = np.zeros(len(coded.uri), bool)
    kept[winners] = True
    mask[mask] = kept
    return mask


def _has_newest_bytes(rows: _Coded) -> Mask:
    newest = _last_of_each([rows.fingerprint, rows.run, rows.known, rows.uri], groups=1)
    wanted = np.zeros(int(rows.uri.max(initial=-1)) + 1, np.int64)
    wanted[rows.uri[newest]] = rows.fingerprint[newest]
    same: Mask = rows.fingerprint == wanted[rows.uri]
    return same


def _config_newest(rows: _Coded) -> _Codes:
    """For each row, the newest run with a good row of the same recording and configuration; -1: there is none."""
    order = np.lexsort([rows.config, rows.id, rows.uri])
    if not len(order):
        return np.empty(0, np.int64)
    starts = _starts([key[order] for key in (rows.config, rows.id, rows.uri)])
    good_run = np.where(rows.worth > 0, rows.run, -1)[order]
    newest = np.maximum.reduceat(good_run, np.flatnonzero(starts))
    spread: _Codes = np.empty(len(order), np.int64)
    spread[order] = newest[np.cumsum(starts) - 1]
    return spread


def _last_of_each(keys: Sequence[_Codes | Mask], groups: int) -> npt.NDArray[np.intp]:
    """The index of the greatest row of every group; keys from the least to the most important, the group's last."""
    order: npt.NDArray[np.intp] = np.lexsort(list(keys))
    if not len(order):
        return order
    is_last: Mask = np.append(_starts([key[order] for key in keys[-groups:]])[1:], True)
    return order[is_last]


def _starts(ordered: Sequence[_Codes | Mask]) -> Mask:
    """Where another group begins."""
    starts = np.ones(len(ordered[0]), bool)
    starts[1:] = np.any([key[1:] != key[:-1] for key in ordered], axis=0)
    return starts


def _worth(rows: pa.Table) -> tuple[_Codes, _Codes]:
    """How much a row holds: 3 ok, 2 partial, 1 good without text, 0 neither; and the characters of a partial one."""
    status, length = rows["status"], rows["num_characters"]
    good = _flags(pc.is_in(status, value_set=pa.array(sorted(GOOD_STATUSES))))
    partial = _flags(pc.equal(status, "partial"))
    empty = _flags(pc.or_(pc.equal(status, "no_speech"), pc.fill_null(pc.equal(length, 0), False)))
    worth = np.where(~good, 0, np.where(empty, 1, np.where(partial, 2, 3)))
    return worth, np.where(worth == 2, _numbers(pc.fill_null(length, 0)), 0)


def _codes(column: pa.ChunkedArray) -> _Codes:
    """Equal numbers for equal texts, in their order; null is the empty text."""
    filled = pc.fill_null(column.cast(pa.large_string()), "").combine_chunks()
    encoded = (filled if isinstance(filled, pa.Array) else filled.combine_chunks()).dictionary_encode()
    rank: _Codes = np.empty(len(encoded.dictionary), np.int64)
    rank[_numbers(pc.sort_indices(encoded.dictionary))] = np.arange(len(rank))
    return rank[_numbers(encoded.indices)]


def _numbers(values: pa.ChunkedArray | pa.Array) -> _Codes:
    return np.asarray(values).astype(np.int64)


def _flags(values: pa.ChunkedArray | pa.Array) -> Mask:
    return np.asarray(values).astype(bool)


def _nothing(columns: Sequence[str]) -> pa.Table:
    schema = pa.schema([*(TABLES["recordings"].field(name) for name in columns), (RUN, pa.string())])
    return schema.empty_table()
