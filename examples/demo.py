"""Transcribe the sample recordings with the checkpoint that ships with the project, and show three transcripts.

    python examples/demo.py [OUTPUT]

The same as `funasr-beam transcribe samples --output OUTPUT --model demo --max-failed 25%`, then a look at the tables.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

HERE = Path(__file__).parent.parent


def main() -> int:
    """Run the command, then read what it wrote."""
    output = Path(sys.argv[1] if len(sys.argv) > 1 else "demo-output")
    samples = os.path.relpath(HERE / "samples")
    command = ["transcribe", samples, "--output", str(output), "--model", "demo", "--max-failed", "25%"]
    print("$ funasr-beam", *command, flush=True)
    done = subprocess.run([sys.executable, "-m", "funasr_beam.pipeline", *command], check=False)
    if done.returncode == 0:
        show_transcripts(output)
    return done.returncode


def show_transcripts(output: Path, count: int = 3) -> None:
    """Print the start of a few transcripts of different kinds, with the times of their first words."""
    recordings = sorted(pq.read_table(output / "recordings").to_pylist(), key=lambda row: row["uri"])
    segments = sorted(pq.read_table(output / "segments").to_pylist(), key=lambda row: row["start"])
    kinds: set[tuple[str, bool]] = set()
    for recording in recordings:
        kind = (recording["channel_layout"], any("\u4e00" <= letter <= "\u9fff" for letter in recording["text"] or ""))
        if recording["status"] == "ok" and kind not in kinds and len(kinds) < count:
            kinds.add(kind)
            show(recording, next(row for row in segments if row["recording_id"] == recording["recording_id"]))


def show(recording: dict[str, Any], first: dict[str, Any]) -> None:
    """Print one recording and the words of its first segment."""
    print(f"\n{recording['uri'].rsplit('/', 1)[-1]}  ({recording['duration']:.1f} s, {recording['channel_layout']})")
    print(f"  {recording['text'][:120]} ...")
    words = (f"{word['word']} {word['start']:.2f}-{word['end']:.2f}" for word in (first["words"] or [])[:6])
    print("  " + " | ".join(words))


if __name__ == "__main__":
    sys.exit(main())
