"""Time and memory of what reads whole tables: metrics, evaluate and select over a million segments.

    python -m benchmarks.metrics [--segments 1000000] [--work DIR] [--store]

The output is made up: 100,000 recordings with ten segments of about twelve words each, words with times, references in
the manifest. Each command runs as a process of its own; peak memory is the kernel's (`ru_maxrss`). Also what clipping
and bandwidth cost beside the VAD.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.hardware import describe_machine
from funasr_beam.model.audio.quality import bandwidth_hz, clipping_share
from funasr_beam.model.demo_speech.recording import Recipe, render
from funasr_beam.model.storage import Folder
from funasr_beam.model.tables import TABLES
from funasr_beam.model.vad import SpeechDetector
from funasr_beam.pipeline.run_folder import Run, finish_run, save_run

RESULT = Path(__file__).parent / "results" / "metrics.json"
RUN = "20260101T000000Z-000000"
PER_RECORDING = 10
BLOCK = 10_000
VOCABULARY = (
    "please",
    "hold",
    "the",
    "line",
    "while",
    "i",
    "check",
    "your",
    "account",
    "number",
    "is",
    "seven",
    "我们",
    "好",
)
COMMANDS = {
    "metrics": ["metrics", "--group-by", "language", "--group-by", "folder", "--group-by", "metadata.queue", "--json"],
    "evaluate": ["evaluate", "--json"],
    "select": ["select", "--min-confidence", "0.5", "--min-snr", "15", "--output", "{work}/selected.parquet"],
}


def main() -> int:
    """Make the output, run each command, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--segments", type=int, default=1_000_000)
    parser.add_argument("--work", type=Path, help="keep the output here, and use the one that is there")
    parser.add_argument("--store", action="store_true", help="keep the result")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        work = arguments.work or Path(scratch)
        make_output(work / "out", arguments.segments)
        found = {name: measure(command, work) for name, command in COMMANDS.items()}
    print("| command | wall | CPU | peak memory |\n| --- | --- | --- | --- |")
    for name, line in found.items():
        print(f"| {name} | {line['wall_s']:.0f} s | {line['cpu_s']:.0f} s | {line['peak_mb']:,.0f} MB |")
    share = quality_share()
    print(f"clipping and bandwidth take {share:.1%} of the VAD's time")
    if arguments.store:
        content = {"machine": describe_machine(), "segments": arguments.segments, "commands": found}
        text = json.dumps(content | {"quality_share_of_vad": share}, indent=2)
        RESULT.write_text(text + "\n", encoding="utf-8")
    return 0


def make_output(root: Path, segments: int) -> None:
    """An output with one run."""
    if (root / f"runs/{RUN}/_SUCCESS").exists():
        return
    output, run = Folder(str(root)), Run(RUN, "hash", "2026-01-01T00:00:00+00:00")
    save_run(output, run)
    block = list(segment_block())
    with writer(root, "recordings") as recordings, writer(root, "segments") as rows, writer(root, "speech"):
        for first in range(0, segments, BLOCK):
            names = [f"r{(first + place) // PER_RECORDING:08d}" for place in range(BLOCK)]
            own = [row | {"recording_id": name, "segment_id": f"{name}-{place}"}
                   for place, (row, name) in enumerate(zip(block, names, strict=True))]  # fmt: skip
            rows.write_table(pa.Table.from_pylist(own, schema=TABLES["segments"]))
            made = [recording(own[place : place + PER_RECORDING]) for place in range(0, BLOCK, PER_RECORDING)]
            recordings.write_table(pa.Table.from_pylist(made, schema=TABLES["recordings"]))
    finish_run(output, run)


def writer(root: Path, table: str) -> pq.ParquetWriter:
    """Of the one part of a table."""
    folder = root / table / f"run={RUN}"
    folder.mkdir(parents=True, exist_ok=True)
    return pq.ParquetWriter(folder / "part-00000.parquet", TABLES[table], compression="zstd")


def segment_block() -> Iterator[dict[str, object]]:
    """Segments of a thousand recordings."""
    generator = np.random.default_rng(5)
    for place in range(BLOCK):
        start = float(place % PER_RECORDING * 12)
        said = [str(word) for word in generator.choice(VOCABULARY, generator.integers(4, 22))]
        text = " ".join(said)
        length = 0.4 * len(said) + 0.4
        yield {
            "channel": int(place % 2),
            "start": start,
            "end": start + length,
            "text": text,
            "text_raw": text,
            "language": "en" if place % 3 else "zh",
            "confidence": round(float(generator.beta(9, 1)), 6),
            "chars_per_s": len(text) / length,
            "flags": ["loop"] if place % 100 == 0 else [],
            "timestamp_source": "ctc",
            "snr_db": round(float(generator.normal(20, 6)), 6),
            "clipping": 0.0,
            "bandwidth_hz": 4000.0 if place % 5 == 0 else 8000.0,
            "words": [
                {"word": word, "start": start + 0.4 * at, "end": start + 0.4 * at + 0.3, "confidence": 0.9}
                for at, word in enumerate(said)
            ],
            "attempt": 1,
            "run_id": RUN,
        }


def recording(own: list[dict[str, object]]) -> dict[str, object]:
    """The recording of some segments, with a reference that differs in one word."""
    name, text = str(own[0]["recording_id"]), " ".join(str(row["text"]) for row in own)
    errors = {"hits": 120, "substitutions": 1, "deletions": 0, "insertions": 0}
    return {
        "recording_id": name,
        "uri": f"file:///archive/{name[:5]}/{name}.wav",
        "fingerprint": "1",
        "status": "ok",
        "codec": "mp3",
        "num_channels": 1,
        "channel_layout": "mono",
        "duration": 120.0,
        "speech_duration": 55.0,
        "language": "en",
        "text": text,
        "num_segments": len(own),
        "num_characters": len(text),
        "flags": [],
        "reference": f"hello {text}",
        "confidence": 0.9,
        "word_errors": errors,
        "character_errors": errors,
        "mixed_errors": errors,
        "normalizer": "english-1",
        "decode_s": 0.1,
        "vad_s": 0.1,
        "recognize_s": 1.0,
        "text_s": 0.1,
        "cpu_s": 1.3,
        "gpu_s": 0.5,
        "metadata": [("queue", f"q{int(name[1:]) % 12}")],
        "config_hash": "c",
        "run_id": RUN,
    }


def measure(command: list[str], work: Path) -> dict[str, float]:
    """Wall time, CPU time and peak memory of one command over the output."""
    name, *options = (part.format(work=work) for part in command)
    argv = [sys.executable, "-m", "funasr_beam.pipeline", name, str(work / "out"), *options]
    began = time.monotonic()
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(argv)} ended with {status}")
    cpu_s = usage.ru_utime + usage.ru_stime
    return {"wall_s": time.monotonic() - began, "cpu_s": cpu_s, "peak_mb": usage.ru_maxrss / 1024}


def quality_share(repeats: int = 20) -> float:
    """CPU time of clipping and bandwidth as a share of the VAD's, over 28 s of speech."""
    import torch

    torch.set_num_threads(1)
    spoken = render(Recipe(sentences=4), "quality").samples
    samples = np.resize(np.round(spoken * 32767).astype(np.int16), 28 * 16_000)
    detector = SpeechDetector()

    def seconds(work) -> float:  # noqa: ANN001
        work(samples)
        began = time.process_time()
        for _ in range(repeats):
            work(samples)
        return (time.process_time() - began) / repeats

    return (seconds(clipping_share) + seconds(bandwidth_hz)) / seconds(
        lambda channel: detector.speech_probabilities([channel])
    )


if __name__ == "__main__":
    raise SystemExit(main())
