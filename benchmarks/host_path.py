"""The real pipeline without a recogniser: audio seconds per CPU second from files to tables, and where they go.

    python -m benchmarks.host_path [--minutes 120] [--repeats 3] [--formats NAME ...] [--peers DIR ...] [--store]

Each run is a process of its own (`benchmarks.host_run`): plan, decode in the decoder process, VAD, cut, batch, commit,
assemble. CPU seconds are those of the whole process tree; with one worker everything, the others too, is held to one
core, so that a figure for a core is what one core does. Every run is done with one minute of audio as well: what that
takes is the start, which is the same for a minute and a night, and is told beside the speed of what comes on top.
`--peers` names folders with the packages of others (`pip install --target`), whose loading and VAD then meet the same
file in turns with ours. `--store` keeps the result in benchmarks/results/host_path.json.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt
import soxr

from benchmarks import tables
from benchmarks.decode import write
from benchmarks.hardware import describe_machine
from benchmarks.host_peers import PEERS, STEREO_ONLY
from benchmarks.vad import synthetic_speech

RESULT = Path(__file__).parent / "results" / "host_path.json"
FILE_S = 600.0
TICK_S = 0.01
"""The clock of a child process: less cannot be told from nothing."""

STAGES = (
    *("decode", "receive samples", "settle borders", "layout, cut, quality", "VAD"),
    *("batch, language, text", "commit", "plan", "assemble", "metrics, report", "rest"),
)


@dataclass(frozen=True)
class Format:
    """How the speech is stored."""

    suffix: str
    codec: str
    rate: int
    channels: int
    bit_rate: int


FORMATS = {
    "mp3 16k mono": Format("mp3", "libmp3lame", 16_000, 1, 64_000),
    "mp3 44.1k stereo": Format("mp3", "libmp3lame", 44_100, 2, 128_000),
    "wav 8k mono": Format("wav", "pcm_s16le", 8_000, 1, 0),
    "m4a 16k mono": Format("m4a", "aac", 16_000, 1, 64_000),
    "opus 48k mono": Format("opus", "libopus", 48_000, 1, 32_000),
}


@dataclass(frozen=True)
class Ledger:
    """One format's figures: medians over the repeats, CPU seconds of the process tree."""

    audio_s: float
    x_realtime: float  # without the start
    slowest: float
    fastest: float
    x_realtime_with_start: float
    start_cpu_s: float
    loading: float  # x realtime of decoding alone, median as all but the last
    vad: float
    both: float
    stages_ms_per_audio_minute: dict[str, float]  # means without the start, so that they add up


class PeerRun(TypedDict):
    """What `benchmarks.host_peers` prints."""

    version: str
    load_cpu_s: float
    vad_cpu_s: float


@dataclass(frozen=True)
class Peer:
    """Another package: audio seconds per CPU second, medians."""

    version: str
    loading: float
    vad: float
    both: float


def main() -> None:
    """Write the files, measure, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=120)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=list(FORMATS)[:2])
    parser.add_argument("--peers", nargs="+", metavar="DIR", default=[], help="folders with packages to compare with")
    parser.add_argument("--tiny", action="store_true", help="two minutes, once: shows that it runs")
    parser.add_argument("--store", action="store_true", help="keep the result")
    arguments = parser.parse_args()
    if arguments.tiny:
        arguments.minutes, arguments.repeats = 2.0, 1
    machine = describe_machine()
    if arguments.workers == 1:
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    ledgers, peers = measure_all(arguments)
    content = {
        "machine": machine,
        "workers": arguments.workers,
        "repeats": arguments.repeats,
        "formats": {name: asdict(FORMATS[name]) | asdict(ledger) for name, ledger in ledgers.items()},
        "peers_x_realtime": {name: {peer: asdict(own) for peer, own in found.items()} for name, found in peers.items()},
    }
    print(tables.host_path(content), start_table(ledgers), sep="\n\n")
    if arguments.store:
        RESULT.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def measure_all(arguments: argparse.Namespace) -> tuple[dict[str, Ledger], dict[str, dict[str, Peer]]]:
    """By format: our ledger, and the peers by name."""
    ledgers, peers = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.formats:
            place, kind = Path(folder) / name.replace(" ", "-"), FORMATS[name]
            lengths = [write_speech(place / part, kind, m) for part, m in (("base", 1), ("full", arguments.minutes))]
            runs, found = [], []
            for turn in range(arguments.repeats):
                runs.append(run_ours(place, turn, arguments.workers))
                found.append(run_peers(place / "full" / f"0.{kind.suffix}", kind.channels, arguments.peers))
            ledgers[name] = ledger_of(runs, lengths[0], lengths[1])
            peers[name] = peers_of(found, min(FILE_S, lengths[1]))
    return ledgers, peers


def write_speech(folder: Path, kind: Format, minutes: float) -> float:
    """Files of ten minutes of speech, or a shorter one, all alike; gives their length in seconds."""
    folder.mkdir(parents=True)
    once_s = min(FILE_S, minutes * 60)
    first = folder / f"0.{kind.suffix}"
    encode(first, kind, synthetic_speech(once_s))
    count = max(1, round(minutes * 60 / once_s))
    for number in range(1, count):
        shutil.copy(first, folder / f"{number}.{kind.suffix}")
    return once_s * count


def encode(path: Path, kind: Format, speech: npt.NDArray[np.int16]) -> None:
    """Store mono speech of 16 kHz; further channels hear other parts of it at the same time."""
    native = soxr.resample(speech, 16_000, kind.rate)
    samples = np.stack([np.roll(native, len(native) // kind.channels * channel) for channel in range(kind.channels)])
    write(path, kind.codec, kind.rate, samples, kind.bit_rate)


Runs = Sequence[tuple[Counter[str], Counter[str]]]
"""CPU seconds by stage of a short and of a long run."""


def run_ours(place: Path, turn: int, workers: int) -> tuple[Counter[str], Counter[str]]:
    """One short and one long run."""
    base, full = (_run(place / part, place / f"out-{part}-{turn}", workers) for part in ("base", "full"))
    print(f"{place.name} {turn}: {full['total']:.1f} CPU s, start {base['total']:.1f}", file=sys.stderr)
    return base, full


def ledger_of(runs: Runs, base_s: float, full_s: float) -> Ledger:
    """What the runs say."""

    def speeds(*stages: str) -> list[float]:
        seconds = (sum(full[stage] - base[stage] for stage in stages) for base, full in runs)
        return [(full_s - base_s) / max(own, TICK_S) for own in seconds]

    loading, total = ("decode", "receive samples"), speeds("total")
    return Ledger(
        audio_s=full_s,
        x_realtime=statistics.median(total),
        slowest=min(total),
        fastest=max(total),
        x_realtime_with_start=full_s / statistics.median(full["total"] for _, full in runs),
        start_cpu_s=statistics.median(base["total"] for base, _ in runs),
        loading=statistics.median(speeds(*loading)),
        vad=statistics.median(speeds("VAD")),
        both=statistics.median(speeds(*loading, "VAD")),
        stages_ms_per_audio_minute=_stages(runs, (full_s - base_s) / 60),
    )


def _stages(runs: Runs, minutes: float) -> dict[str, float]:
    """Mean milliseconds of each stage for a minute of audio; means, so that they add up."""
    return {
        stage: 1000 * statistics.mean(full[stage] - base[stage] for base, full in runs) / minutes for stage in STAGES
    }


def _run(source: Path, output: Path, workers: int) -> Counter[str]:
    seconds = Counter(run_host(source, output, workers)["cpu_s"])
    seconds["rest"] += sum(seconds[name] for name in seconds if name.startswith("start: "))
    return seconds


def run_host(source: Path, output: Path, workers: int, before: Sequence[str] = ()) -> dict[str, Any]:
    """What `benchmarks.host_run` says of one run; `before` stands in front of its command."""
    command = [*before, sys.executable, "-m", "benchmarks.host_run", str(source), str(output)]
    done = subprocess.run([*command, "--workers", str(workers)], check=True, capture_output=True, text=True)
    found: dict[str, Any] = next(json.loads(line) for line in reversed(done.stdout.splitlines()) if line[:1] == "{")
    if found["exit"] != 0:
        raise SystemExit(f"the run ended with {found['exit']}: {done.stderr[-2000:]}")
    return found


def run_peers(file: Path, channels: int, folders: Sequence[str]) -> dict[str, PeerRun]:
    """CPU seconds of each peer for a file; without those that are not installed."""
    if not folders:
        return {}
    paths = {"PYTHONPATH": folders, "PATH": [*(f"{folder}/bin" for folder in folders), os.environ["PATH"]]}
    environment = os.environ | {name: os.pathsep.join(parts) for name, parts in paths.items()}
    found = {}
    for name in (name for name in PEERS if channels == 2 or not name.endswith(STEREO_ONLY)):
        command = [sys.executable, str(Path(__file__).with_name("host_peers.py")), name, str(file)]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        if done.returncode:
            print(f"{name} did not run: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
        else:
            found[name] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def peers_of(found: Sequence[dict[str, PeerRun]], audio_s: float) -> dict[str, Peer]:
    """Medians of those that ran."""
    return {name: _peer([turn[name] for turn in found if name in turn], audio_s) for name in PEERS if name in found[0]}


def _peer(turns: Sequence[PeerRun], audio_s: float) -> Peer:
    load = statistics.median(turn["load_cpu_s"] for turn in turns)
    vad = statistics.median(turn["vad_cpu_s"] for turn in turns)
    return Peer(turns[0]["version"], audio_s / load, audio_s / vad, audio_s / (load + vad))


def start_table(ledgers: dict[str, Ledger]) -> str:
    """What `tables.host_path` leaves out: the start."""
    lines = ["| input | audio s per CPU s, start included | start, CPU s |", "| --- | ---: | ---: |"]
    lines += [f"| {name} | {own.x_realtime_with_start:,.0f} | {own.start_cpu_s:.1f} |" for name, own in ledgers.items()]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
