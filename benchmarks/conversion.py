"""Conversion and loading of a full-size model.pt: time, memory, and whether every number arrives.

    python -m benchmarks.conversion --work DIR [--store]

Makes files of the published names, shapes and number types, with and without the CTC head (1,347 and 1,261 tensors),
converts each by the command, loads the result on the CPU in float32 and in bfloat16, and compares all numbers. Memory
is that of the process: what it allocated itself, and with the pages of files that it has mapped, which the system takes
back when it needs them.
`--store` keeps the result in benchmarks/results/conversion.json.
"""

import argparse
import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.hardware import describe_machine
from tests.original_checkpoint import Recipe, different_tensors, write_full_size

RESULT = Path(__file__).parent / "results" / "conversion.json"
KINDS = {"1,261 tensors": "none", "1,347 tensors, with the CTC head": "trained"}
LOAD = """
import sys
from funasr_beam.model.recognizers.base import RecognizerSettings
from funasr_beam.model.recognizers.families import load_recognizer
precision = sys.argv[2]
load_recognizer(sys.argv[1], RecognizerSettings("cpu", encoder_precision=precision, llm_precision=precision))
"""


@dataclass(frozen=True)
class Cost:
    """What one process took."""

    wall_s: float
    cpu_s: float
    own_gb: float  # peak of what it allocated
    resident_gb: float  # peak with mapped files


@dataclass(frozen=True)
class Converted:
    """One kind of file."""

    file_gb: float
    convert: Cost
    load: Cost
    load_bfloat16: Cost  # encoder and language model
    different_tensors: int


def main() -> None:
    """Make what is not there yet, convert, load, compare, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--store", action="store_true", help="keep the result")
    arguments = parser.parse_args()
    results = {name: measure(arguments.work / kind, kind) for name, kind in KINDS.items()}
    for name, result in results.items():
        for step in ("convert", "load", "load_bfloat16"):
            cost = getattr(result, step)
            print(
                f"| {step.replace('_', ', ')} | {name} | {result.file_gb:.2f} GB "
                f"| {cost.wall_s:.0f} s, {cost.cpu_s:.0f} s CPU "
                f"| {cost.own_gb:.2f} GB | {cost.resident_gb:.2f} GB |"
            )
        print(f"{name}: {result.different_tensors} tensors arrived changed")
    if arguments.store:
        content = {"machine": describe_machine(), "files": {name: asdict(result) for name, result in results.items()}}
        RESULT.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def measure(folder: Path, kind: str) -> Converted:
    """One kind of file, from its making to its comparison."""
    original, output = folder / "Fun-ASR-Nano-random", folder / "converted"
    if not (original / "model.pt").exists():
        write_full_size(original, Recipe(seed=1, ctc=kind))
    if output.exists():
        raise SystemExit(f"{output} is there already: remove it to measure again")
    command = ["-m", "funasr_beam.pipeline", "convert", str(original), "--output", str(output)]
    return Converted(
        file_gb=(original / "model.pt").stat().st_size / 1e9,
        convert=watch([sys.executable, *command]),
        load=watch([sys.executable, "-c", LOAD, str(output), "float32"]),
        load_bfloat16=watch([sys.executable, "-c", LOAD, str(output), "bfloat16"]),
        different_tensors=len(different_tensors(original, output)),
    )


def watch(command: list[str]) -> Cost:
    """Run a command, and look at its memory 20 times a second."""
    began = time.perf_counter()
    process = subprocess.Popen(command)
    own_kb = resident_kb = 0
    cpu_s = 0.0
    while process.poll() is None:
        found = _status(process.pid)
        own_kb, resident_kb = max(own_kb, found.get("RssAnon", 0)), max(resident_kb, found.get("VmHWM", 0))
        cpu_s = _cpu_s(process.pid) or cpu_s
        time.sleep(0.05)
    if process.returncode:
        raise SystemExit(process.returncode)
    return Cost(time.perf_counter() - began, cpu_s, own_kb * 1024 / 1e9, resident_kb * 1024 / 1e9)


def _status(pid: int) -> dict[str, int]:
    """Sizes of a process in kilobytes."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    except OSError:  # it has just ended
        return {}
    sizes = (line.split() for line in lines if line.endswith(" kB"))
    return {name.rstrip(":"): int(size) for name, size, _ in sizes}


def _cpu_s(pid: int) -> float | None:
    """User and system time of a process."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / 100


if __name__ == "__main__":
    main()
