"""What an output holds: what is done, what failed and why, and what a run that was stopped has left."""

from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice

from funasr_beam.model.commits import CommittedUnits
from funasr_beam.model.errors import UsageError
from funasr_beam.model.plan_files import UnitFacts, earlier_plans
from funasr_beam.model.records import Seconds
from funasr_beam.model.storage import Folder
from funasr_beam.pipeline.current import current_rows
from funasr_beam.pipeline.length_guess import LengthGuess
from funasr_beam.pipeline.run_folder import Run, finished_run_ids, list_runs

_LEARNT_FROM = 16  # committed units, each a request to the store


@dataclass(frozen=True)
class IncompleteRecording:
    """A recording without a whole transcript."""

    uri: str
    status: str
    error_code: str
    error_detail: str
    duration_s: Seconds | None  # None: not even that is known


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
    troubles: tuple[IncompleteRecording, ...]
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
    runs, finished = list_runs(output), set(finished_run_ids(output))
    troubles = tuple(
        IncompleteRecording(
            row["uri"], row["status"], row["error_code"] or "", row["error_detail"] or "", row["duration"]
        )
        for row in rows
        if row["status"] in ("failed", "partial")
    )
    return OutputStatus(
        runs=len(finished),
        statuses=dict(sorted(Counter(row["status"] for row in rows).items())),
        causes=dict(sorted(Counter(row["error_code"] for row in rows if row["error_code"]).items())),
        audio_s=sum(row["duration"] or 0.0 for row in rows),
        troubles=troubles,
        unfinished=tuple(_unfinished(output, run) for run in runs if run.id not in finished),
    )


def _unfinished(output: Folder, run: Run) -> UnfinishedRun:
    """Progress of a run from its last plan and what is committed."""
    plans = earlier_plans(output, run.text_hash)
    if not plans:
        return UnfinishedRun(run.id, 0, 0, 0.0, 0.0)
    totals, units, committed = plans[-1].totals, list(plans[-1].unit_facts()), CommittedUnits(output, run.text_hash)
    done = set(committed.names())
    left = [unit for unit in units if unit.name not in done]
    guess = LengthGuess()
    with suppress(FileNotFoundError):  # the run ends just now, and puts its units away
        for unit in islice((unit for unit in units if unit.name in done), _LEARNT_FROM):
            guess.learn(unit, committed.summary(unit.name).audio_s)
    # What an earlier plan had done is as wrong as this plan is.
    factor = _likely_s(units, guess) / totals.missing_s if totals.missing_s else 1.0
    return UnfinishedRun(
        run.id,
        totals.recordings,
        totals.recordings - sum(unit.recordings for unit in left),
        totals.audio_s * factor,
        totals.audio_s * factor - _likely_s(left, guess),
    )


def _likely_s(units: Iterable[UnitFacts], guess: LengthGuess) -> Seconds:
    return sum(guess.corrected_s(unit.audio_s, unit.guessed_s) for unit in units)
