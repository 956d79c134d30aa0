"""What drift detection says about a run, in the words of the report."""

from collections.abc import Sequence
from dataclasses import dataclass

from funasr_beam.model.metrics.drift import Check
from funasr_beam.model.storage import Folder
from funasr_beam.pipeline.drift import compare_with_earlier
from funasr_beam.pipeline.report.words import decimal, percent


@dataclass(frozen=True)
class Alarm:
    """A measure that is not what it was in earlier runs."""

    measure: str
    before: str
    now: str


@dataclass(frozen=True)
class DriftReport:
    """What came of the comparison of the newest run with those before it."""

    run_id: str
    baseline: int  # runs that it was compared with; 0: there were none, so nobody can tell
    checks: int
    alarms: tuple[Alarm, ...]


def read_drift(output: Folder, run_ids: Sequence[str]) -> DriftReport | None:
    """Drift of the last of some runs, oldest first; None where no run has metrics to compare."""
    known = [run_id for run_id in run_ids if output.exists(f"runs/{run_id}/metrics.parquet")]
    if not known:
        return None
    found = compare_with_earlier(output, known[-1], known[:-1])
    return DriftReport(found.run_id, len(found.baseline), len(found.checks), tuple(map(_alarm, found.alarms)))


def _alarm(check: Check) -> Alarm:
    # `codec mp3`: a share of the recordings; `confidence`: a median; `recordings`: their number.
    show = percent if " " in check.name else decimal
    return Alarm(check.name.replace("_", " "), show(check.before), show(check.now))
