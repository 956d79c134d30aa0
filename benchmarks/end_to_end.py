"""From files to tables: the real command, where its time goes, and how near it comes to the recogniser alone.

    python -m benchmarks.end_to_end [--size demo] [--device auto] [--hours 0.5] [--workers N] [--store]

Writes synthetic MP3 files, runs `funasr-beam transcribe` on them in a process of its own (`benchmarks.end_run`), and
has its recogniser hear the same batches again when nothing else goes on. The ledger of the one thread that runs the
command adds up to the wall clock; that of the threads that transcribe adds up to the wall clock of transcribing times
their number. Texts are as long as those of speech (full, tiny: random weights) or what the demo checkpoint makes of the
noise. `--store` keeps the result in benchmarks/results/end_to_end_DEVICE.json.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import tables
from benchmarks.hardware import describe_machine, device_label
from benchmarks.host_path import FORMATS, write_speech
from benchmarks.random_checkpoints import make_checkpoint
from funasr_beam.model.devices import pick_device

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Write the files, run the command, print the ledgers."""
    arguments = parse()
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        audio_s = write_speech(place / "in", next(iter(FORMATS.values())), arguments.hours * 60)
        model = "demo"
        if arguments.size != "demo":
            model = str(make_checkpoint(arguments.work or place / "checkpoint", arguments.size).converted)
        found = run(arguments, model, place)
    asked = {name: getattr(arguments, name) for name in ("size", "device", "hours", "workers")}
    content = {"machine": describe_machine(), "settings": asked} | found | {"audio_s": audio_s}
    print(tables.end_to_end(content))
    if not arguments.store:
        return
    path = arguments.output / f"end_to_end_{device_label(arguments.device)}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def parse() -> argparse.Namespace:
    """What was asked, with device and workers settled."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=("demo", "tiny", "full"), default="demo")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--hours", type=float, default=0.0, help="of audio; 0: 20 on a GPU, half an hour on a CPU")
    parser.add_argument("--workers", type=int, default=0, help="threads; 0: one for each core, at most 8")
    parser.add_argument("--work", type=Path, help="where the checkpoint is kept; none: thrown away")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder for --store")
    parser.add_argument("--store", action="store_true", help="keep the result")
    arguments = parser.parse_args()
    if arguments.device == "auto":
        arguments.device = pick_device("auto").type
    arguments.hours = arguments.hours or (20.0 if arguments.device == "cuda" else 0.5)
    arguments.workers = arguments.workers or min(len(os.sched_getaffinity(0)), 8)
    return arguments


def run(arguments: argparse.Namespace, model: str, place: Path) -> dict[str, Any]:
    """The command in a process of its own; what it says of itself."""
    options = ["--model", model, "--device", arguments.device, "--workers", str(arguments.workers)]
    options += [] if arguments.size == "demo" else ["--speech-budget"]
    options += ["--began", str(time.time())]
    command = [sys.executable, "-m", "benchmarks.end_run", str(place / "in"), str(place / "out"), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"the run ended with {done.returncode}: {done.stderr[-3000:]}")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


if __name__ == "__main__":
    main()
