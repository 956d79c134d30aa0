"""The runs of an output: when, with what, over how much, and for how long."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from funasr_beam.model.records import Seconds
from funasr_beam.model.storage import Folder
from funasr_beam.pipeline.run_folder import METRICS, Run, finished_run_ids, list_runs, part_names, read_if_sound

_READERS = 16


@dataclass(frozen=True)
class RunEntry:
    """One line of `funasr-beam runs`."""

    run_id: str
    started_at: str
    state: str  # finished, unfinished, or compacted: its rows have moved to a newer run
    kind: str  # transcribe, compact or forget
    model: str | None
    config_hash: str
    recordings: Mapping[str, int]  # by status
    audio_hours: float | None
    wall_s: Seconds | None


def read_runs(output: Folder) -> list[RunEntry]:
    """All runs, oldest first."""
    finished, stored = set(finished_run_ids(output)), part_names(output, "recordings").keys()
    files = set(output.tree("runs"))

    def read(run: Run) -> RunEntry:
        metrics = _read(output, f"{run.id}/{METRICS}", files)
        config = _read(output, f"{run.id}/config.json", files)
        counts = {status: count for status, count in metrics.get("recordings", {}).items() if count}
        state = "unfinished" if run.id not in finished else "finished" if run.id in stored else "compacted"
        return RunEntry(
            run_id=run.id,
            started_at=run.started_at,
            state=state,
            kind=run.kind,
            model=config.get("model"),
            config_hash=run.text_hash,
            recordings=counts,
            audio_hours=metrics.get("audio_hours"),
            wall_s=metrics.get("wall_s"),
        )

    with ThreadPoolExecutor(_READERS, "runs") as pool:
        return list(pool.map(read, list_runs(output)))


def _read(output: Folder, name: str, files: set[str]) -> dict[str, Any]:
    return read_if_sound(output, f"runs/{name}") if name in files else {}
