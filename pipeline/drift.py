"""Drift of a run against the runs before it, from the metrics that each has left."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow.compute as pc

from funasr_beam.model.errors import UsageError
from funasr_beam.model.metrics.drift import NUMBERS, Drift, Limits, RunProfile, compare_runs
from funasr_beam.model.metrics.histograms import Bin
from funasr_beam.model.storage import Folder
from funasr_beam.model.stored_files import DamagedFileError, open_parquet
from funasr_beam.pipeline.run_folder import finished_run_ids

_FAMILIES = {
    "recordings": "status",
    "causes": "cause",
    "recording_languages": "language",
    "codecs": "codec",
    "recording_flags": "flag",
}
_DISTRIBUTIONS = "distributions.recordings."
_NOT_WORKED_ON = ("unchanged", "skipped", "excluded")
"""Statuses, and the cause of what was skipped: they are no part of the recordings that shares are taken of."""

_log = logging.getLogger("funasr_beam")


def measure_drift(output: Folder, runs: int = 7, run_id: str | None = None, limits: Limits | None = None) -> Drift:
    """Compare a finished run with those before it.

    Args:
        output: the output folder.
        runs: how many earlier runs to compare with, at most.
        run_id: the run; None: the newest.
        limits: from where on a difference matters.

    Raises:
        UsageError: there is no such finished run.
    """
    known = _with_metrics(output)
    if not known or (run_id is not None and run_id not in known):
        raise UsageError(
            f"drift of {run_id or 'the newest run'}:",
            [f"no such finished run with metrics in {output.show()}; there are: {', '.join(known) or 'none'}"],
        )
    place = known.index(run_id) if run_id is not None else len(known) - 1
    return compare_with_earlier(output, known[place], known[:place], runs, limits)


def drift_of_unfinished(output: Folder, run_id: str) -> Drift:
    """Compare a run that is about to finish with the finished ones before it."""
    return compare_with_earlier(output, run_id, [name for name in _with_metrics(output) if name < run_id])


def compare_with_earlier(
    output: Folder, run_id: str, earlier_ids: Sequence[str], runs: int = 7, limits: Limits | None = None
) -> Drift:
    """Compare a run, finished or not, with the newest of the runs before it that are large enough.

    Args:
        output: the output folder.
        run_id: the run; it has its metrics.
        earlier_ids: runs with metrics, oldest first.
        runs: how many of them to compare with, at most.
        limits: from where on a difference matters.
    """
    limits = limits or Limits()
    earlier: list[RunProfile] = []
    for earlier_id in reversed(earlier_ids):
        try:
            profile = read_profile(output, earlier_id)
        except DamagedFileError as error:
            _log.warning("A run is compared with one less: %s", error)
            continue
        if profile.recordings >= limits.least_recordings:  # a run that only tried failures again is no night
            earlier.append(profile)
        if len(earlier) == runs:
            break
    return compare_runs(read_profile(output, run_id), earlier[::-1], limits)


def read_profile(output: Folder, run_id: str) -> RunProfile:
    """What drift looks at in a run, from its `metrics.parquet`."""
    with open_parquet(output, _metrics_path(run_id)) as file:
        table = file.read()
        return profile_of(run_id, table.filter(pc.field("group_by").is_null()).to_pylist())


def profile_of(run_id: str, rows: list[Mapping[str, Any]]) -> RunProfile:
    """The profile in the rows of everything (no group) of a metrics table."""
    numbers: dict[str, list[Bin]] = {}
    shares: dict[str, dict[str, int]] = {}
    for row in rows:
        family, _, value = row["metric"].partition(".")
        name = row["metric"].removeprefix(_DISTRIBUTIONS)
        if name in NUMBERS:
            numbers[name] = [Bin(**found) for found in row["bins"] or ()]
        elif family in _FAMILIES and value not in _NOT_WORKED_ON:
            shares.setdefault(_FAMILIES[family], {})[value] = int(row["value"])
    return RunProfile(run_id, sum(shares.get("status", {}).values()), numbers, shares)


def _with_metrics(output: Folder) -> list[str]:
    return [name for name in finished_run_ids(output) if output.exists(_metrics_path(name))]


def _metrics_path(run_id: str) -> str:
    return f"runs/{run_id}/metrics.parquet"
