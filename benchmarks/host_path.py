"""The real pipeline without a recogniser: audio seconds per CPU second from files to tables, and where they go.

    python -m benchmarks.host_path [--minutes 120] [--repeats 3] [--formats NAME ...] [--tiny] [--store]

Each run is a process of its own (`benchmarks.host_run`): plan, decode in the decoder process, VAD, cut, batch, commit,
assemble. CPU seconds are those of the whole process tree. Every run is done with one minute of audio as well: what that
takes is the start, which is the same for a minute and a night, and is told beside the speed of what comes on top.
`--store` keeps the result in benchmarks/results/host_path.json.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import soxr

from benchmarks.hardware import describe_machine
from benchmarks.vad import synthetic_speech

RESULT = Path(__file__).parent / "results" / "host_path.json"
ONCE_S = 600.0
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
    stages_ms_per_audio_minute: dict[str, float]  # without the start; they add up


def main() -> None:
    """Write the files, measure, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=120)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--formats", nargs="+", choices=FORMATS, default=list(FORMATS)[:2])
    parser.add_argument("--tiny", action="store_true", help="two minutes, once: shows that it runs")
    parser.add_argument("--store", action="store_true", help="keep the result")
    arguments = parser.parse_args()
    minutes, repeats = (2.0, 1) if arguments.tiny else (arguments.minutes, arguments.repeats)
    ledgers = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.formats:
            place = Path(folder) / name.replace(" ", "-")
            base_s, full_s = (
                write_speech(place / part, FORMATS[name], m) for part, m in (("base", 1), ("full", minutes))
            )
            ledgers[name] = measure(place, base_s, full_s, repeats, arguments.workers)
    print(table(ledgers))
    if arguments.store:
        content = {
            "machine": describe_machine(),
            "workers": arguments.workers,
            "repeats": repeats,
            "formats": {name: asdict(FORMATS[name]) | asdict(ledger) for name, ledger in ledgers.items()},
        }
        RESULT.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def write_speech(folder: Path, kind: Format, minutes: float) -> float:
    """One file of ten minutes of speech over and over, encoded once; gives its length in seconds."""
    folder.mkdir(parents=True)
    once_s = min(ONCE_S, minutes * 60)
    once = folder / f".once.{kind.suffix}"
    encode(once, kind, synthetic_speech(once_s))
    times = max(1, round(minutes * 60 / once_s))
    _repeat(once, folder / f"speech.{kind.suffix}", times)
    once.unlink()
    return once_s * times


def encode(path: Path, kind: Format, speech: npt.NDArray[np.int16]) -> None:
    """Store mono speech of 16 kHz; further channels hear other parts of it at the same time."""
    native = soxr.resample(speech, 16_000, kind.rate)
    samples = np.stack([np.roll(native, len(native) // kind.channels * channel) for channel in range(kind.channels)])
    with av.open(str(path), "w") as container:
        layout = ("mono", "stereo")[kind.channels - 1]
        stream = container.add_stream(kind.codec, rate=kind.rate, layout=layout)
        if kind.bit_rate:
            stream.bit_rate = kind.bit_rate
        for start in range(0, samples.shape[1], kind.rate):
            block = np.ascontiguousarray(samples[:, start : start + kind.rate])
            frame = av.AudioFrame.from_ndarray(block, "s16p", layout)
            frame.sample_rate, frame.pts = kind.rate, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _repeat(once: Path, path: Path, times: int) -> None:
    """The packets of a file so many times in one container, without encoding them again."""
    with av.open(str(once)) as source, av.open(str(path), "w") as target:
        packets = [packet for packet in source.demux(audio=0) if packet.size]
        out = target.add_stream_from_template(source.streams.audio[0])
        first = packets[0].pts
        length = packets[-1].pts + packets[-1].duration - first
        stamps = [packet.pts for packet in packets]
        for round_ in range(times):
            for packet, stamp in zip(packets, stamps, strict=True):
                packet.stream = out
                packet.pts = packet.dts = stamp + round_ * length
                target.mux(packet)


def measure(place: Path, base_s: float, full_s: float, repeats: int, workers: int) -> Ledger:
    """Short and long runs in turns."""
    runs = []
    for turn in range(repeats):
        base, full = (_run(place / part, place / f"out-{part}-{turn}", workers) for part in ("base", "full"))
        runs.append((base, full))
        speed = (full_s - base_s) / (full["total"] - base["total"])
        print(f"{place.name} {turn}: {speed:,.0f}x, start {base['total']:.1f} CPU s", file=sys.stderr)
    speeds = [(full_s - base_s) / (full["total"] - base["total"]) for base, full in runs]
    return Ledger(
        full_s,
        statistics.median(speeds),
        min(speeds),
        max(speeds),
        full_s / statistics.median(full["total"] for _, full in runs),
        statistics.median(base["total"] for base, _ in runs),
        _stages(runs, (full_s - base_s) / 60),
    )


def _stages(runs: Sequence[tuple[Counter[str], Counter[str]]], minutes: float) -> dict[str, float]:
    """Mean milliseconds of each stage for a minute of audio; means, so that they add up."""
    return {
        stage: 1000 * statistics.mean(full[stage] - base[stage] for base, full in runs) / minutes for stage in STAGES
    }


def _run(source: Path, output: Path, workers: int) -> Counter[str]:
    command = [sys.executable, "-m", "benchmarks.host_run", str(source), str(output), "--workers", str(workers)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found = json.loads(done.stdout.strip().splitlines()[-1])
    if found["exit"] != 0:
        raise SystemExit(f"the run ended with {found['exit']}: {done.stderr[-2000:]}")
    seconds = Counter(found["cpu_s"])
    seconds["rest"] += sum(seconds[name] for name in seconds if name.startswith("start: "))
    return seconds


def table(ledgers: dict[str, Ledger]) -> str:
    """The speeds, and the stages below them."""
    lines = ["| input | audio s per CPU s (spread) | start included | start, CPU s |", "| --- | --- | --- | --- |"]
    for name, own in ledgers.items():
        spread = f"{own.x_realtime:,.0f} ({own.slowest:,.0f} to {own.fastest:,.0f})"
        lines.append(f"| {name} | {spread} | {own.x_realtime_with_start:,.0f} | {own.start_cpu_s:.1f} |")
    lines += ["", f"| ms for a minute of audio | {' | '.join(ledgers)} |", "| --- |" + " --- |" * len(ledgers)]
    for stage in STAGES:
        cells = [f"{own.stages_ms_per_audio_minute[stage]:.1f}" for own in ledgers.values()]
        lines.append(f"| {stage} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
