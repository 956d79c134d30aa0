"""All benchmarks of speed in one command, each with its time limit; results in benchmarks/results/.

    python -m benchmarks.suite host    [--tiny]    # this machine's CPU: host path, decoding, recogniser, end to end
    python -m benchmarks.suite gpu     [--tiny]    # recogniser on a GPU, beside others, and the GPU tests: 10 minutes
    python -m benchmarks.suite gpu-end [--tiny]    # from files to tables on a GPU

`gpu` needs torch, torchaudio, transformers and pyarrow, no network, and runs in a bare checkout; with `funasr` it
compares with that too, with pytest and hypothesis it does the tests. `gpu-end` needs the project installed. `--tiny`
shows on a CPU, in seconds, that everything runs to its end. What fails is told, and the others go on.
"""

import argparse
import importlib.util
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"
PEERS = ("ours", "funasr, batches", "transformers generate", "ours, all audio tokens")


@dataclass(frozen=True)
class Task:
    """One command of the suite."""

    name: str
    command: Sequence[str]  # after the interpreter
    limit_s: float
    needs: tuple[str, ...] = ()  # packages without which it is left out


def main() -> int:
    """Run the tasks, say what each came to; 1 where one failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("where", choices=TASKS)
    parser.add_argument("--tiny", action="store_true", help="tiny models on the CPU")
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "bench", help="checkpoints of random weights")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of the results")
    arguments = parser.parse_args()
    outcomes = {task.name: run(task) for task in TASKS[arguments.where](arguments)}
    print("\n| task | outcome |\n| --- | --- |")
    for name, outcome in outcomes.items():
        print(f"| {name} | {outcome} |")
    return int(any(outcome.startswith("FAILED") for outcome in outcomes.values()))


def run(task: Task) -> str:
    """What became of a task."""
    absent = [name for name in task.needs if importlib.util.find_spec(name) is None]
    if absent:
        return f"left out: {', '.join(absent)} not installed"
    began = time.perf_counter()
    print(f"\n{task.name}: python {' '.join(task.command)}", flush=True)
    try:
        done = subprocess.run([sys.executable, *task.command], cwd=ROOT, timeout=task.limit_s, check=False)
    except subprocess.TimeoutExpired:
        return f"FAILED: more than {task.limit_s:.0f} s"
    took_s = time.perf_counter() - began
    return f"done in {took_s:.0f} s" if done.returncode == 0 else f"FAILED: exit code {done.returncode}"


def gpu_tasks(arguments: argparse.Namespace) -> list[Task]:
    """What a GPU is needed for; in sum at most ten minutes."""
    device = "cpu" if arguments.tiny else "cuda"
    profiles = ["calls"] if arguments.tiny else ["30 s", "calls", "podcasts", "mixed"]
    hours = ("0.005", "0.005", "1") if arguments.tiny else ("1", "0.1", "8")
    speed = [*_recognizer(arguments, device), "--profiles", *profiles, "--hours", hours[0], "--peers-get", hours[2]]
    same = [*_recognizer(arguments, device), "--profiles", profiles[-1], "--hours", hours[1], "--precision", "fp32"]
    return [
        Task("recogniser: speed, ledger", [*speed, "--sides", *PEERS[: 2 if arguments.tiny else 4]], 330),
        Task("recogniser: equal texts in float32", [*same, "--sides", *PEERS[: 2 if arguments.tiny else 4]], 150),
        Task("GPU tests", ["-m", "pytest", "-q", "-m", "gpu", "tests/model"], 120, ("pytest", "hypothesis")),
    ]


def gpu_end_tasks(arguments: argparse.Namespace) -> list[Task]:
    """From files to tables on a GPU."""
    size = ["--size", "tiny", "--device", "cpu", "--hours", "0.03"] if arguments.tiny else ["--size", "full"]
    return [Task("end to end", _end_to_end(arguments, *size), 1_200, ("apache_beam", "av"))]


def host_tasks(arguments: argparse.Namespace) -> list[Task]:
    """What a CPU is enough for."""
    hours = "0.005" if arguments.tiny else "0.06"
    tiny = ["--tiny"] if arguments.tiny else ["--store"]
    speed = [*_recognizer(arguments, "cpu"), "--profiles", "mixed", "--hours", hours]
    decoding = ["-m", "benchmarks.decoding", "--device", "cpu"]
    decoding += ["--size", "tiny", "--count", "4", "--repeat", "1"] if arguments.tiny else ["--store"]
    end = _end_to_end(arguments, "--size", "demo", "--device", "cpu", "--hours", "0.03" if arguments.tiny else "0.5")
    return [
        Task("host path", ["-m", "benchmarks.host_path", *tiny], 3_600),
        Task("decoding", decoding, 3_600),
        Task("recogniser", [*speed, *(["--sides", "ours"] if arguments.tiny else [])], 7_200),
        Task("end to end", end, 3_600),
    ]


def _recognizer(arguments: argparse.Namespace, device: str) -> list[str]:
    size = "tiny" if arguments.tiny else "full"
    kept = ["--work", str(arguments.work), "--output", str(arguments.output), "--store"]
    return ["-m", "benchmarks.recognizer", "--size", size, "--device", device, *kept]


def _end_to_end(arguments: argparse.Namespace, *options: str) -> list[str]:
    kept = ["--work", str(arguments.work), "--output", str(arguments.output), "--store"]
    return ["-m", "benchmarks.end_to_end", *options, *kept]


TASKS = {"host": host_tasks, "gpu": gpu_tasks, "gpu-end": gpu_end_tasks}


if __name__ == "__main__":
    sys.exit(main())
