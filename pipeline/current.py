"""The current row of every recording: one rule, in one place.

For the same fingerprint the newest good row beats any failed one, so that a failed retry never hides a transcript; for
a new fingerprint the newest run wins, failed too.
"""

from dataclasses import dataclass
from typing import Any

from funasr_beam.model.outcomes import GOOD_STATUSES
from funasr_beam.model.storage import Folder
from funasr_beam.pipeline.run_folder import finished_runs, rows_of


@dataclass(frozen=True)
class RowKey:
    """Which run holds the current row of which recording."""

    run_id: str
    recording_id: str


def current_keys(output: Folder) -> dict[RowKey, dict[str, Any]]:
    """The current row of every recording (status columns only), oldest run first."""
    columns = ["recording_id", "uri", "fingerprint", "status", "error_code", "error_detail", "duration"]
    held: dict[str, dict[RowKey, dict[str, Any]]] = {}
    for run in finished_runs(output):
        for row in rows_of(output, "recordings", run.id, columns):
            _hold(held.setdefault(row["uri"], {}), RowKey(run.id, row["recording_id"]), row)
    return {key: row for rows in held.values() for key, row in rows.items()}


def _hold(rows: dict[RowKey, dict[str, Any]], key: RowKey, row: dict[str, Any]) -> None:
    """Put a newer row in the place of those that it beats."""
    older = [held for held in rows if held.run_id != key.run_id]
    for held in older:
        same_bytes = rows[held]["fingerprint"] == row["fingerprint"]
        same_recording = held.recording_id == key.recording_id
        if same_bytes and not same_recording:
            continue
        if same_bytes and rows[held]["status"] in GOOD_STATUSES and row["status"] not in GOOD_STATUSES:
            return
        del rows[held]
    rows[key] = row
