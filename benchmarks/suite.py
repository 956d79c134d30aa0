"""All benchmarks of speed in one command, each with its time limit; results in benchmarks/results/.

    python -m benchmarks.suite host    [--tiny]    # this machine's CPU: host path, decoding, recogniser, end to end
    python -m benchmarks.suite gpu     [--tiny]    # recogniser on a GPU, beside others, and the GPU tests: 10 minutes
    python -m benchmarks.suite gpu-end [--tiny]    # from files to tables on a GPU

`gpu` needs torch, torchaudio, transformers and pyarrow, no network, and runs in a bare checkout; with `funasr` it
compares with that too, with pytest it does the tests. `gpu-end` needs the project installed. `--tiny`
shows on a CPU, in seconds, that everything runs to its end. What fails is told, and the others go on.
"""

import argparse
import contextlib
import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"
FAST = (
    *("ours", "funasr, batches", "transformers generate", "ours, float32 encoder", "ours, bfloat16 encoder"),
    "ours, word times",
)
EQUAL = ("ours", "ours, all audio tokens", "transformers generate", "funasr, batches")
"""Ways to measure, the ones first for which there must be time."""
GPU_TESTS = ("-m", "pytest", "-q", "-m", "gpu")
TEST_PACKAGES = ("pytest",)


@dataclass(frozen=True)
class Task:
    """One command of the suite."""

    name: str
    command: Sequence[str]  # after the interpreter
    limit_s: float
    needs: tuple[str, ...] = ()  # packages without which it is left out


def main() -> int:
    """Run the tasks, say what each came to; 1 where one failed, or none could be run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("where", choices=TASKS)
    parser.add_argument("--tiny", action="store_true", help="tiny models on the CPU")
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "bench", help="checkpoints of random weights")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of the results")
    arguments = parser.parse_args()
    if arguments.where != "host" and not arguments.tiny and (problem := gpu_problem()):
        parser.error(problem)
    outcomes = {task.name: run(task) for task in TASKS[arguments.where](arguments)}
    print("\n| task | outcome |\n| --- | --- |")
    for name, outcome in outcomes.items():
        print(f"| {name} | {outcome} |")
    failed = any(outcome.startswith("FAILED") for outcome in outcomes.values())
    return int(failed or all(outcome.startswith("left out") for outcome in outcomes.values()))


def gpu_problem() -> str | None:
    """Why nothing can be measured on a GPU here; None where it can."""
    if importlib.util.find_spec("torch") is None:
        return "torch is not installed for this Python; make bench-gpu PYTHON=... names another"
    import torch

    return None if torch.cuda.is_available() else "torch finds no GPU here; --tiny shows on a CPU that everything runs"


def run(task: Task) -> str:
    """What became of a task."""
    absent = [name for name in task.needs if importlib.util.find_spec(name) is None]
    if absent:
        return f"left out: {', '.join(absent)} not installed"
    began = time.perf_counter()
    print(f"\n{task.name}: python {' '.join(task.command)}", flush=True)
    with subprocess.Popen([sys.executable, *task.command], cwd=ROOT, start_new_session=True) as process:
        try:
            code = process.wait(task.limit_s)
        except subprocess.TimeoutExpired:
            return f"FAILED: more than {task.limit_s:.0f} s"
        finally:
            end_all(process)
    took_s = time.perf_counter() - began
    return f"done in {took_s:.0f} s" if code == 0 else f"FAILED: exit code {code}"


def end_all(process: subprocess.Popen[bytes]) -> None:
    """End a command with what it has started, which would go on beside the next one."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def gpu_tasks(arguments: argparse.Namespace) -> list[Task]:
    """What a GPU is needed for; in sum at most ten minutes."""
    if arguments.tiny:
        return _tiny_gpu_tasks(arguments)
    ways = _recognizer(arguments, "cuda")
    speed = [*ways, "--profiles", "30 s", "calls", "podcasts", "mixed", "--sides", *FAST]
    speed += ["--hours", "2", "--peers-get", "4", "--repeats", "2", "--within", "305"]
    same = [*ways, "--profiles", "mixed", "--sides", *EQUAL]
    same += ["--hours", "0.05", "--precision", "fp32", "--within", "125"]
    return [
        Task("recogniser: speed, ledger", speed, 320),
        Task("recogniser: equal texts in float32", same, 140),
        Task("GPU tests", [*GPU_TESTS, "tests/model"], 115, TEST_PACKAGES),
    ]


def _tiny_gpu_tasks(arguments: argparse.Namespace) -> list[Task]:
    """The same commands on a CPU, where the tests can only be found."""
    tiny = [*_recognizer(arguments, "cpu"), "--profiles", "calls", "--hours", "0.01", "--batch", "4"]
    same = [*tiny, "--sides", *EQUAL, "--precision", "fp32", "--together"]
    return [
        Task("recogniser: speed, ledger", [*tiny, "--sides", *(way for way in FAST if way.startswith("ours"))], 330),
        Task("recogniser: equal texts in float32", same, 150),
        Task("GPU tests: found, not run", [*GPU_TESTS, "--collect-only", "tests/model"], 120, TEST_PACKAGES),
    ]


def gpu_end_tasks(arguments: argparse.Namespace) -> list[Task]:
    """From files to tables on a GPU; in sum at most ten minutes. The longer run replaces the result of the shorter."""
    needs = ("apache_beam", "av", "soxr", "silero_vad", "fsspec", "duckdb", "wetext", "pydantic", "rich")
    if arguments.tiny:
        tiny = _end_to_end(arguments, "--size", "tiny", "--device", "cpu", "--hours", "0.03")
        return [Task("end to end", tiny, 1_200, needs)]
    full = _end_to_end(arguments, "--size", "full", "--device", "cuda")
    return [
        Task("end to end, 2 hours", [*full, "--hours", "2"], 240, needs),
        Task("end to end, 20 hours", [*full, "--hours", "20"], 360, needs),
    ]


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
        Task("host path by threads", ["-m", "benchmarks.host_scaling", *tiny], 3_600),
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
