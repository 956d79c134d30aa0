"""What an output holds: what is done, what failed and why, and what a run that was stopped has left."""

from collections import Counter
from dataclasses import dataclass

import pyarrow.parquet as pq

from funasr_beam.model.assembly import SpanIndex
from funasr_beam.model.commits import CommittedUnits
from funasr_beam.model.errors import UsageError
from funasr_beam.model.records import Seconds
from funasr_beam.model.storage import Folder
from funasr_beam.pipeline.current import current_rows
from funasr_beam.pipeline.plan import plan_path
from funasr_beam.pipeline.run_folder import Run, is_finished, list_runs


@dataclass(frozen=True)
class Trouble:
    """A recording that is not entirely fine."""

    uri: str
    status: str
    error_code: str
    error_detail: str


@dataclass(frozen=True)
class UnfinishedRun:
    """A run without its `_SUCCESS`: still at work, or stopped."""

    run_id: str
    recordings: int
    recordings_done: int
    audio_s: Seconds
    audio_done_s: Seconds


@dataclass(frozen=True)
class OutputStatus:
    """The state of an output folder."""

    runs: int
    statuses: dict[str, int]
    causes: dict[str, int]
    audio_s: Seconds
    troubles: tuple[Trouble, ...]
    unfinished: tuple[UnfinishedRun, ...]


def open_output(uri: str) -> Folder:
    """The output folder at a path or URI.

    Raises:
        UsageError: there is none.
    """
    try:
        output = Folder(uri)
        if output.exists("runs"):
            return output
    except (ValueError, ImportError) as error:
        raise UsageError("the output cannot be read:", [f"{uri}: {error}"]) from error
    raise UsageError("the output cannot be read:", [f"{uri}: holds no runs; was it the --output of a transcribe?"])


def read_status(output: Folder) -> OutputStatus:
    """Everything that `funasr-beam status` tells."""
    rows = current_rows(output, ("error_code", "error_detail", "duration")).to_pylist()
    runs = list_runs(output)
    troubles = tuple(
        Trouble(row["uri"], row["status"], row["error_code"] or "", row["error_detail"] or "")
        for row in rows
        if row["status"] in ("failed", "partial")
    )
    return OutputStatus(
        runs=sum(is_finished(output, run.id) for run in runs),
        statuses=dict(sorted(Counter(row["status"] for row in rows).items())),
        causes=dict(sorted(Counter(row["error_code"] for row in rows if row["error_code"]).items())),
        audio_s=sum(row["duration"] or 0.0 for row in rows),
        troubles=troubles,
        unfinished=tuple(_unfinished(output, run) for run in runs if not is_finished(output, run.id)),
    )


def _unfinished(output: Folder, run: Run) -> UnfinishedRun:
    """Progress of a run from its plan and what is committed."""
    path = plan_path(run.id)
    if not output.exists(path):
        return UnfinishedRun(run.id, 0, 0, 0.0, 0.0)
    with output.open(path) as file:
        planned = pq.read_table(file, columns=["audio_s", "span_ids"]).to_pylist()
    index = SpanIndex(CommittedUnits(output, run.text_hash))
    done = [row for row in planned if all(span in index for span in row["span_ids"])]
    return UnfinishedRun(
        run.id, len(planned), len(done), sum(row["audio_s"] for row in planned), sum(row["audio_s"] for row in done)
    )
