"""Delete recordings from an output: no table, page or plan of it names them or says what was said in them any more.

Crash-safe as a compaction is: the rows that stay are moved into a run of their own before the old ones are deleted, so
that the same command can do to its end what a killed one had begun.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from funasr_beam.model.errors import RunError, UsageError
from funasr_beam.model.listing import uri_at
from funasr_beam.model.storage import Folder, locate
from funasr_beam.pipeline.claim import only_run
from funasr_beam.pipeline.compaction import finish_compactions, keep_only
from funasr_beam.pipeline.current import current_rows, stored_rows
from funasr_beam.pipeline.report.write import REPORT
from funasr_beam.pipeline.run_folder import (
    FORGETTING,
    METRICS,
    finished_run_ids,
    list_runs,
    published_run_ids,
    read_if_sound,
    remove_tables,
    write_json,
)
from funasr_beam.pipeline.views import blaming_where, chosen, open_views

_WORK = ("_work/units", "_work/plans")


@dataclass(frozen=True)
class Wanted:
    """Which recordings: those for which a condition over the view `recordings` holds, and those at these URIs."""

    where: str | None = None
    uris: Sequence[str] = ()


@dataclass(frozen=True)
class Forgotten:
    """What was deleted."""

    found: pa.Table  # the current rows among it
    rows: int  # of `recordings`, superseded ones too
    pages: int  # reports, which quote transcripts


def uris_of(lines: Sequence[str]) -> list[str]:
    """Paths and URIs as the tables name them; blank lines count as nothing. Names may begin or end with blanks.

    Raises:
        UsageError: some are neither.
    """
    uris, problems = [], []
    for number, line in enumerate(lines, start=1):
        try:
            uris += [uri_at(*locate(line))] if line.strip() else []
        except (ValueError, TypeError, ImportError, OSError) as error:
            problems.append(f"line {number}: {line}: {error}")
    if problems:
        raise UsageError.counting("in the list of recordings", problems)
    return uris


def find(output: Folder, wanted: Wanted) -> pa.Table:
    """The current rows of the recordings that are wanted, by URI, with `status` and `duration`.

    A recording is what is at a URI: where one row of several ids matches, all of that URI are wanted.

    Raises:
        UsageError: the condition cannot be used.
    """
    uris = [*wanted.uris, *(_matching(output, wanted.where) if wanted.where is not None else ())]
    rows = current_rows(output, ("duration",))
    return rows.filter(_are_among(rows, pa.array(uris, pa.string()))).sort_by("uri")


def forget(output: Folder, wanted: Wanted) -> Forgotten:
    """Delete all rows of these recordings, and the report pages. The rows of others are compacted on the way.

    Raises:
        RunError: a run is at work there, or has been stopped and not ended; or the output cannot be written.
        UsageError: the condition cannot be used.
    """
    with only_run(output) as claim:
        _check_no_work_left(output)
        _drop_unfinished(output)
        found = find(output, wanted)  # before what a killed command had begun is done to its end: its rows are among it
        uris, stored = pc.unique(found["uri"]), stored_rows(output)
        gone = stored.filter(_are_among(stored, uris)).num_rows
        pages = _clear_runs(output, set(uris.to_pylist())) if gone else 0  # first: what is killed here finds them again
        finish_compactions(output)
        if gone:
            current = current_rows(output)
            keep_only(current.filter(pc.invert(_are_among(current, uris))), output, claim, kind=FORGETTING)
        return Forgotten(found, gone, pages)


def _matching(output: Folder, where: str) -> list[str]:
    with open_views(output) as connection, blaming_where():
        found = chosen(connection.table("recordings"), where).project("uri").fetchall()
    return [uri for (uri,) in found]


def _are_among(rows: pa.Table, uris: pa.Array) -> pa.ChunkedArray:
    return pc.is_in(rows["uri"], value_set=uris)


def _check_no_work_left(output: Folder) -> None:
    if any(output.tree(folder) for folder in _WORK):
        raise RunError(
            f"{output.show()} holds the work of a run that was stopped, which may tell of these recordings: let the "
            f"same transcribe command end first, or delete {' and '.join(output.show(folder) for folder in _WORK)}"
        )


def _drop_unfinished(output: Folder) -> None:
    """Remove what runs without a `_SUCCESS` had published; there is no work left with which one could go on."""
    finished = set(finished_run_ids(output))
    for run_id in published_run_ids(output) - finished:
        remove_tables(output, run_id)
    for run in list_runs(output):
        if run.id not in finished:
            output.remove(f"{run.folder}/{REPORT}")


def _clear_runs(output: Folder, uris: set[str]) -> int:
    """Remove the report pages, and the URIs that runs have noted beside their counts; how many pages."""
    pages = [f"runs/{name}" for name in output.tree("runs") if name.endswith(f"/{REPORT}")]
    pages += [REPORT] if output.exists(REPORT) else []
    for page in pages:
        output.remove(page)
    for name in output.tree("runs"):
        if name.endswith(f"/{METRICS}"):
            _clear_metrics(output, f"runs/{name}", uris)
    return len(pages)


def _clear_metrics(output: Folder, name: str, uris: set[str]) -> None:
    metrics = read_if_sound(output, name)
    noted = {key: value for key, value in metrics.get("regressions", {}).items() if key.endswith("_uris")}
    cleared = {key: [uri for uri in value if uri not in uris] for key, value in noted.items()}
    if cleared != noted:
        write_json(output, name, {**metrics, "regressions": {**metrics["regressions"], **cleared}})
