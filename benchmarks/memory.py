"""Peak memory of the whole process tree on one 10-hour MP3 and on 20 one-minute files.

python -m benchmarks.memory [--hours 10] [--store]
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import av
import numpy as np

from benchmarks.hardware import describe_machine
from funasr_beam.model.demo_speech.recording import Recipe, render

RESULT = Path(__file__).parent / "results" / "memory.json"
RATE = 16_000


def main() -> int:
    """Measure both, print a table row each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=10.0)
    parser.add_argument("--store", action="store_true", help="keep the result")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        peaks = measure(Path(name), arguments.hours)
    print("| input | peak memory |\n| --- | --- |")
    for label, peak in peaks.items():
        print(f"| {label} | {peak:,.0f} MB |")
    if arguments.store:
        content = {"machine": describe_machine(), "peak_mb": peaks}
        RESULT.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return 0


def measure(folder: Path, hours: float) -> dict[str, float]:
    """Peak memory (MB, sum of the tree's proportional set sizes) by input."""
    minute = write_minute(folder / "minute.mp3")
    (folder / "short").mkdir()
    (folder / "long").mkdir()
    for place in range(20):
        (folder / f"short/{place}.mp3").write_bytes(minute)
    with (folder / "long/long.mp3").open("wb") as file:
        for _ in range(round(hours * 60)):
            file.write(minute)  # MP3 frames follow each other: no header says how many there are
    return {
        "20 files of 1 minute": peak_of_run(folder / "short", folder / "out-short"),
        f"1 file of {hours:g} hours": peak_of_run(folder / "long", folder / "out-long"),
    }


def write_minute(path: Path, sentences: int = 3) -> bytes:
    """One minute of MP3 with a few sentences in it, or none; such minutes may follow each other in one file."""
    samples = np.zeros(60 * RATE, np.int16)
    if sentences:
        spoken = render(Recipe(sentences=sentences), "memory").samples
        samples[: len(spoken)] = np.round(np.clip(spoken, -1, 1) * 32767)
    with av.open(str(path), "w", options={"write_xing": "0", "id3v2_version": "0"}) as container:
        stream = container.add_stream("libmp3lame", rate=RATE, layout="mono")
        stream.bit_rate = 32_000
        frame = av.AudioFrame.from_ndarray(samples[None], format="s16p", layout="mono")
        frame.sample_rate = RATE
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path.read_bytes()


def peak_of_run(source: Path, output: Path) -> float:
    """Run the command and watch its process tree."""
    command = ["transcribe", str(source), "--output", str(output), "--model", "demo"]
    process = subprocess.Popen([sys.executable, "-m", "funasr_beam.pipeline", *command], stdout=subprocess.DEVNULL)
    peak = [0.0]

    def watch() -> None:
        while process.poll() is None:
            peak[0] = max(peak[0], tree_mb(process.pid))
            time.sleep(0.1)

    watcher = threading.Thread(target=watch)
    watcher.start()
    code = process.wait()
    watcher.join()
    if code != 0:
        raise SystemExit(f"the run on {source} ended with {code}")
    return peak[0]


def tree_mb(pid: int) -> float:
    """Proportional set size of a process and all below it, in MB."""
    total = 0.0
    for each in [pid, *descendants(pid)]:
        try:
            lines = Path(f"/proc/{each}/smaps_rollup").read_text(encoding="utf-8").splitlines()
        except OSError:  # it has ended
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
    return total


def descendants(pid: int) -> list[int]:
    """All processes below one."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = [int(text) for text in task.read_text(encoding="utf-8").split()]
        except OSError:
            continue
        for child in children:
            found += [child, *descendants(child)]
    return found


if __name__ == "__main__":
    raise SystemExit(main())
