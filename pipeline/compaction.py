"""Make the current rows of an output the only ones: fewer, larger files, and nothing that is superseded.

Crash-safe by its order: current rows are written into a run of their own, which appears with its `_SUCCESS`; from then
on the rule of the current row prefers that copy, so that old runs can be deleted one after another, oldest first, and
the current rows are the same at every step. What a killed compaction leaves is finished by the next one.
"""

from dataclasses import dataclass

import pyarrow as pa

from funasr_beam.model.storage import Folder
from funasr_beam.model.table_drafts import PART_BYTES, TableDrafts
from funasr_beam.model.tables import TABLES
from funasr_beam.pipeline.claim import Claim, only_run
from funasr_beam.pipeline.current import batches_about, current_rows, stored_rows
from funasr_beam.pipeline.latest_sql import write_latest_sql
from funasr_beam.pipeline.run_folder import (
    COMPACTION,
    discard_unfinished_compactions,
    finish_run,
    finished_run_ids,
    finished_runs,
    new_run,
    part_names,
    published_run_ids,
    remove_tables,
    save_run,
)
from funasr_beam.pipeline.views import check_output


@dataclass(frozen=True)
class CompactionReport:
    """What a compaction did."""

    run_id: str | None  # None: there was nothing to do
    rows_before: int
    rows: int
    files_before: int
    files: int


def compact(output: Folder, part_bytes: int = PART_BYTES) -> CompactionReport:
    """Rewrite an output so that it holds its current rows only, and say how much smaller it is.

    Raises:
        funasr_beam.model.errors.RunError: a run is at work there, or it cannot be written.
    """
    with only_run(output) as claim:
        finish_compactions(output)
        check_output(output)  # afterwards nobody would see that rows are missing
        rows, files = stored_rows(output).num_rows, _count_files(output)
        current = current_rows(output)
        if rows == current.num_rows and len(part_names(output, "recordings")) <= 1:
            return CompactionReport(None, rows, rows, files, files)
        run_id = keep_only(current, output, claim, part_bytes)
        return CompactionReport(run_id, rows, current.num_rows, files, _count_files(output))


def finish_compactions(output: Folder) -> None:
    """Do to its end, or take back, what one that was killed had begun."""
    output.remove("_work/drafts")
    discard_unfinished_compactions(output)
    _delete_replaced(output)


def keep_only(
    recordings: pa.Table, output: Folder, claim: Claim, part_bytes: int = PART_BYTES, kind: str = COMPACTION
) -> str:
    """Leave an output these current rows, in all its tables, as one run of which the id is given; no other is there."""
    run_id = _write(recordings, output, part_bytes, claim, kind)
    claim()
    _delete_replaced(output)
    return run_id


def _write(recordings: pa.Table, output: Folder, part_bytes: int, claim: Claim, kind: str) -> str:
    finished = finished_run_ids(output)
    replaced = tuple(run for run in part_names(output, "recordings") if run in set(finished))
    run = new_run(output, text_hash="", kind=kind, replaces=replaced)
    save_run(output, run)
    with TableDrafts(output, run.id, part_bytes) as tables:
        for table in TABLES:
            for batch in batches_about(recordings, output, table):
                tables.add_batch(table, batch)
        claim()
        tables.publish()
    claim()
    write_latest_sql(output, [*finished, run.id])
    finish_run(output, run)
    return run.id


def _delete_replaced(output: Folder) -> None:
    """Delete the tables of runs that a finished compaction has replaced, oldest first."""
    replaced = {old for run in finished_runs(output) for old in run.replaces}
    for run_id in sorted(replaced & published_run_ids(output)):
        remove_tables(output, run_id)


def _count_files(output: Folder) -> int:
    return sum(len(names) for table in TABLES for names in part_names(output, table).values())
