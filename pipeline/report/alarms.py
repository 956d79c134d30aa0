"""What drift detection said about a run, as it lies in the run's folder."""

import json
from dataclasses import dataclass

from funasr_beam.model.storage import Folder

DRIFT_FILE = "drift.json"


@dataclass(frozen=True)
class Alarm:
    """A measure that is not what it was in earlier runs."""

    measure: str
    message: str


def read_alarms(output: Folder, run_id: str) -> tuple[Alarm, ...]:
    """The alarms of a run; none where nobody looked."""
    path = f"runs/{run_id}/{DRIFT_FILE}"
    if not output.exists(path):
        return ()
    found = json.loads(output.read(path)).get("alarms", [])
    return tuple(Alarm(str(each["measure"]), str(each["message"])) for each in found)
