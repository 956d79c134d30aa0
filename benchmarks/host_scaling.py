"""How the host path grows with threads: wall clock on the cores that are here, and what the interpreter's lock allows.

    python -m benchmarks.host_scaling [--minutes 120] [--repeats 3] [--threads 1 2] [--py-spy PROGRAM] [--store]

Runs of the real pipeline without a recogniser (`benchmarks.host_run`), with one thread and with several, in turns. A
run with a minute of audio is subtracted, so that the start does not count. What can be shown is limited by the cores
of the machine; beyond them the interpreter's lock decides: `py-spy` (pip install py-spy) samples how long it is held,
and a process cannot hear more audio in a second than fits into a second of holding it. Wall clock: for a quiet machine.
`--store` keeps the result in benchmarks/results/host_scaling.json.
"""

import argparse
import json
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import tables
from benchmarks.hardware import describe_machine
from benchmarks.host_path import FORMATS, run_host, write_speech

RESULT = Path(__file__).parent / "results" / "host_scaling.json"
FORMAT = "mp3 16k mono"
SAMPLES_PER_S = 200
PARTS = ("base", "full")
"""The corpora: a minute of audio, whose time is the start, and all of it."""


@dataclass(frozen=True)
class Speed:
    """Medians over the repeats, without the start."""

    x_realtime: float
    slowest: float
    fastest: float
    cores_in_use: float


def main() -> None:
    """Write the files, measure, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=120)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--py-spy", metavar="PROGRAM", help="without it the lock is not looked at")
    parser.add_argument("--tiny", action="store_true", help="two minutes, once: shows that it runs")
    parser.add_argument("--store", action="store_true", help="keep the result")
    arguments = parser.parse_args()
    if arguments.tiny:
        arguments.minutes, arguments.repeats = 2.0, 1
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        base_s, full_s = (
            write_speech(place / p, FORMATS[FORMAT], m) for p, m in zip(PARTS, (1, arguments.minutes), strict=True)
        )
        audio_s = full_s - base_s
        speeds = measure(place, arguments.threads, arguments.repeats, audio_s)
        lock = lock_ms_per_minute(place, max(arguments.threads), arguments.py_spy, audio_s)
    content = {
        "machine": describe_machine(),
        "format": FORMAT,
        "audio_s": audio_s,
        "repeats": arguments.repeats,
        "threads": {str(threads): asdict(speed) for threads, speed in speeds.items()},
        "lock_ms_per_audio_minute": lock,
    }
    print(tables.host_scaling(content))
    if arguments.store:
        RESULT.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def measure(place: Path, threads: Sequence[int], repeats: int, audio_s: float) -> dict[int, Speed]:
    """By number of threads; the numbers take turns."""
    found: dict[int, list[tuple[float, float]]] = {count: [] for count in threads}
    for turn in range(repeats):
        for count in threads:
            base, full = (run_host(place / part, place / f"{part}-{count}-{turn}", count) for part in PARTS)
            cpu_s = full["cpu_s"]["total"] - base["cpu_s"]["total"]
            found[count].append((full["wall_s"] - base["wall_s"], cpu_s))
    return {count: _speed(runs, audio_s) for count, runs in found.items()}


def _speed(runs: Sequence[tuple[float, float]], audio_s: float) -> Speed:
    speeds = [audio_s / wall_s for wall_s, _ in runs]
    in_use = statistics.median(cpu_s / wall_s for wall_s, cpu_s in runs)
    return Speed(statistics.median(speeds), min(speeds), max(speeds), in_use)


def lock_ms_per_minute(place: Path, threads: int, py_spy: str | None, audio_s: float) -> float | None:
    """How long the interpreter's lock is held for a minute of audio; None: nobody looked."""
    if py_spy is None:
        return None
    held_s = []
    for part in PARTS:
        samples = place / f"{part}.raw"
        options = ["--gil", "--nonblocking", "--rate", str(SAMPLES_PER_S), "--format", "raw", "--output", str(samples)]
        run_host(place / part, place / f"{part}-lock", threads, [py_spy, "record", *options, "--"])
        lines = samples.read_text(encoding="utf-8").splitlines()
        held_s.append(sum(int(line.rsplit(" ", 1)[1]) for line in lines) / SAMPLES_PER_S)
    return 1000 * (held_s[1] - held_s[0]) / (audio_s / 60)


if __name__ == "__main__":
    main()
