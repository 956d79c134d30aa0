"""Transcribe the sample recordings with the checkpoint that ships with the project, and show three transcripts.

    python examples/demo.py [OUTPUT]

The same as `funasr-beam transcribe samples --output OUTPUT --model demo --max-failed 25%`, then a look at the tables.
"""

import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq

HERE = Path(__file__).parent.parent


def main() -> int:
    """Run the command, then read what it wrote."""
    output = Path(sys.argv[1] if len(sys.argv) > 1 else "demo-output")
    command = ["transcribe", str(HERE / "samples"), "--output", str(output), "--model", "demo", "--max-failed", "25%"]
    print("$ funasr-beam", *command, flush=True)
    done = subprocess.run([sys.executable, "-m", "funasr_beam.pipeline", *command], check=False)
    if done.returncode == 0:
        show_transcripts(output)
    return done.returncode


def show_transcripts(output: Path, count: int = 3) -> None:
    """Print the start of a few transcripts, with the times of their first words."""
    recordings = {row["recording_id"]: row for row in pq.read_table(output / "recordings").to_pylist()}
    shown: set[str] = set()
    for segment in pq.read_table(output / "segments").to_pylist():
        recording = recordings[segment["recording_id"]]
        if recording["status"] != "ok" or recording["recording_id"] in shown or not segment["words"]:
            continue
        shown.add(recording["recording_id"])
        print(
            f"\n{recording['uri'].rsplit('/', 1)[-1]}  ({recording['duration']:.1f} s, {recording['channel_layout']})"
        )
        print(f"  {recording['text'][:200]}")
        words = (f"{word['word']} {word['start']:.2f}-{word['end']:.2f}" for word in segment["words"][:6])
        print("  " + " | ".join(words))
        if len(shown) == count:
            break


if __name__ == "__main__":
    sys.exit(main())
