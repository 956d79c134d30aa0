"""The same command once more over finished recordings: how long it takes, and that it decodes and loads nothing.

python -m benchmarks.rerun [--recordings 10000] [--folder DIR] [--store]

Real files, the real command, a finished output; only the results of the first run are made up, since what the second
one does is to find them.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.hardware import describe_machine, peak_mb

RESULTS = Path(__file__).parent / "results" / "rerun.json"
PER_FOLDER = 1000


def write_recordings(folder: Path, count: int) -> None:
    """So many WAV files of near silence, no two alike."""
    import numpy as np
    import soundfile

    for number in range(count):
        path = folder / f"{number // PER_FOLDER:04d}" / f"call-{number:06d}.wav"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, np.random.default_rng(number).integers(-3, 4, 1600, np.int16), 8000)


def command(folder: Path) -> list[str]:
    """What the user types."""
    return ["transcribe", str(folder / "in"), "--output", str(folder / "out"), "--model", "demo", "--max-failed", "1"]


def finish_first_run(arguments: list[str]) -> None:
    """The command in this process, with made-up results in the place of decoder and recogniser."""
    from benchmarks.simulation import SimulatedRecognizer
    from funasr_beam.model.plan_files import read_unit, unit_places
    from funasr_beam.model.results import UnitResult
    from funasr_beam.pipeline import transcription
    from funasr_beam.pipeline.cli import main

    def commit_all(plan: Any, stage: Any, *_: object) -> None:
        output = plan.files.output
        for place in (place for file in plan.files.unit_files() for place in unit_places(output, file)):
            unit = read_unit(output, place)
            stage.committed.commit(
                UnitResult(unit.name, tuple(SimulatedRecognizer().recognize(span) for span in unit.spans))
            )

    transcription._transcribe_units = commit_all
    if code := main(arguments):
        raise SystemExit(code)


def watched_run(arguments: list[str]) -> dict[str, object]:
    """The command in this process, with what it loaded and how many decoders it started."""
    from funasr_beam.model.audio import sandbox
    from funasr_beam.pipeline.cli import main

    decoders = 0

    class Counted(sandbox._Child):
        def __init__(self) -> None:
            nonlocal decoders
            decoders += 1
            super().__init__()

    sandbox._Child = Counted  # type: ignore[misc]
    began = time.perf_counter()
    code = main(arguments)
    wall_s = time.perf_counter() - began
    transcripts = sys.modules.get("funasr_beam.model.transcripts")
    loads = transcripts.load_transcriber.cache_info().misses if transcripts else 0
    return {
        "exit_code": code,
        "wall_s": round(wall_s, 2),
        "cpu_s": round(time.process_time(), 2),
        "peak_mb": peak_mb(),
        "decoders_started": decoders,
        "models_loaded": loads,
        "torch_imported": "torch" in sys.modules,
    }


def measure(folder: Path, count: int) -> dict[str, object]:
    """Finish a first run, then measure the second."""
    write_recordings(folder / "in", count)
    if not list((folder / "out").glob("runs/*/_SUCCESS")):
        finish_first_run(command(folder))
    load = os.getloadavg()[0]
    again = [sys.executable, "-m", "benchmarks.rerun", "--watched", "--folder", str(folder)]
    done = subprocess.run(again, check=True, capture_output=True, text=True)
    newest = max((folder / "out/runs").iterdir())
    counts = json.loads((newest / "metrics.json").read_text())["recordings"]
    return {**json.loads(done.stdout.splitlines()[-1]), "recordings": counts, "load_average": round(load, 1)}


def main() -> None:
    """Measure, print, store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recordings", type=int, default=10_000)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/rerun"), help="where to work and to keep state")
    parser.add_argument("--store", action="store_true", help="write benchmarks/results/rerun.json")
    parser.add_argument("--watched", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.watched:
        print(json.dumps(watched_run(command(arguments.folder))))
        return
    result = {"machine": describe_machine(), **measure(arguments.folder, arguments.recordings)}
    print(json.dumps(result, indent=2))
    if arguments.store:
        RESULTS.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
