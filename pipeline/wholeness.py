"""Whether an output has the segments that its recordings tell of: what is lost, or not listed, looks empty."""

from collections.abc import Mapping
from itertools import chain
from typing import TYPE_CHECKING

from funasr_beam.model.errors import RunError
from funasr_beam.model.storage import Folder
from funasr_beam.model.storage_trouble import MAY_BE_GONE
from funasr_beam.model.tables import TABLES
from funasr_beam.pipeline.run_folder import batches_of, finished_run_ids, part_names

if TYPE_CHECKING:
    import duckdb


def check_whole(output: Folder, connection: "duckdb.DuckDBPyConnection") -> None:
    """Refuse an output that lacks a table, or segments that its recordings tell of.

    Args:
        output: the folder.
        connection: with the views of `latest_sql` on it.

    Raises:
        RunError: some are lost, or a folder cannot be listed (in which DuckDB finds nothing).
    """
    _check_tables(output)
    _check_segments(output, connection)


def _check_tables(output: Folder) -> None:
    """Refuse a table without a file where a finished run has files of another."""
    published = {table: set(part_names(output, table)) for table in TABLES}
    finished = set(finished_run_ids(output))  # after them: what compact has replaced them with is among these
    lost = [table for table, runs in published.items() if not finished & runs]
    if runs := finished.intersection(set().union(*published.values())) if lost else None:
        raise RunError(f"{output.show(lost[0])}: the table is gone; {_advice(max(runs))}")


def _check_segments(output: Folder, connection: "duckdb.DuckDBPyConnection") -> None:
    """Refuse a finished run that has fewer segments than its recordings say."""
    # In this order nothing seems lost that another command publishes or deletes meanwhile.
    finished = connection.sql("SELECT run FROM finished_runs").fetchall()
    found = _numbers(connection, "SELECT run, count(*) FROM stored_segments GROUP BY run")
    told = _numbers(connection, "SELECT run, coalesce(sum(num_segments), 0) FROM stored_recordings GROUP BY run")
    lost = {run: told.get(run, 0) - found.get(run, 0) for (run,) in finished}
    lost = {run: count for run, count in lost.items() if count > 0}
    if not lost:
        return
    run, others = min(lost), f", and others of {len(lost) - 1:,} more runs" if len(lost) > 1 else ""
    what = f"{lost[run]:,} of the {told[run]:,} segments of its recordings are gone{others}"
    raise RunError(f"{output.show(f'segments/run={run}')}: {what}; {_advice(run)}")


def damaged_part(output: Folder) -> str | None:
    """The first file of the tables that cannot be read, or None; reads them all."""
    for table in TABLES:
        for name in chain.from_iterable(part_names(output, table).values()):
            try:
                for _ in batches_of([name], output, table, TABLES[table].names):
                    pass
            except RunError:
                return name
    return None


def _numbers(connection: "duckdb.DuckDBPyConnection", sql: str) -> Mapping[str, int]:
    return {run: int(count) for run, count in connection.sql(sql).fetchall()}


def _advice(run: str) -> str:
    return (
        f"restore it from a copy, or delete run={run} in {', '.join(TABLES)}: the same transcribe command then does "
        f"its recordings again ({MAY_BE_GONE})"
    )
