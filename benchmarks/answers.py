"""Time and memory of report, exports and a query over a million segments, each in a process of its own.

    python -m benchmarks.answers [--segments 1000000] [--work DIR] [--store]

The output is that of `benchmarks.metrics`: 100,000 recordings with ten segments of about twelve words each. Exports are
of texts and times; clips depend on the originals' decoding (benchmarks/results/decode.json).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa

from benchmarks.hardware import describe_machine
from benchmarks.memory import tree_mb, write_minute
from benchmarks.metrics import RUN, make_output, measure, writer
from funasr_beam.model.listing import fingerprint_now
from funasr_beam.model.storage import Folder
from funasr_beam.model.tables import TABLES
from funasr_beam.pipeline.run_folder import Run, finish_run, save_run

RESULT = Path(__file__).parent / "results" / "answers.json"
CLIPS = "export hf, clips of one long MP3"
COMMANDS = {
    "report": ["report", "--output", "{work}/report.html"],
    "export ctm": ["export", "--format", "ctm", "--output", "{work}/ctm"],
    "export lhotse": ["export", "--format", "lhotse", "--output", "{work}/lhotse"],
    "export hf --audio none": ["export", "--format", "hf", "--audio", "none", "--output", "{work}/hf"],
    "export srt": ["export", "--format", "srt", "--output", "{work}/srt"],
    "query, words by confidence": [
        "query",
        "select word, count(*) as n, avg(confidence) as mean from words group by word order by n desc limit 20",
    ],
}


def main() -> int:
    """Make the output, run each command, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--segments", type=int, default=1_000_000)
    parser.add_argument("--work", type=Path, help="keep the output here, and use the one that is there")
    parser.add_argument("--hours", type=float, default=10.0, help="length of the original that clips are cut from")
    parser.add_argument("--only", help="commands whose name contains this; --store keeps what is stored of the others")
    parser.add_argument("--store", action="store_true", help="keep the result")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        work = arguments.work or Path(scratch)
        make_output(work / "out", arguments.segments)
        print("| command | wall | CPU | peak memory |\n| --- | --- | --- | --- |")
        found = {}
        for name, command in COMMANDS.items():
            if arguments.only is None or arguments.only in name:
                found[name] = measure(command, work) | {"load_before": os.getloadavg()[0]}
                line = found[name]
                print(
                    f"| {name} | {line['wall_s']:.0f} s | {line['cpu_s']:.0f} s | {line['peak_mb']:,.0f} MB |",
                    flush=True,
                )
        if arguments.only is None or arguments.only in CLIPS:
            found[CLIPS] = cut_clips(work, arguments.hours)
            print(f"| {CLIPS} | {found[CLIPS]['wall_s']:.0f} s | | {found[CLIPS]['peak_mb']:,.0f} MB (tree) |")
    if arguments.store:
        kept = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.exists() and arguments.only else {}
        content = {"machine": describe_machine(), "segments": arguments.segments}
        content["commands"] = kept.get("commands", {}) | found
        RESULT.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return 0


def cut_clips(work: Path, hours: float) -> dict[str, float]:
    """Clips of 8 s, one a minute, from one long MP3 without an index; peak of the whole process tree."""
    root = make_long_output(work, hours)
    command = ["export", str(root), "--format", "hf", "--output", str(work / "clips")]
    began, peak = time.monotonic(), 0.0
    process = subprocess.Popen([sys.executable, "-m", "funasr_beam.pipeline", *command], stdout=subprocess.DEVNULL)
    while process.poll() is None:
        peak = max(peak, tree_mb(process.pid))
        time.sleep(0.2)
    if process.returncode:
        raise SystemExit(f"the export ended with {process.returncode}")
    return {"wall_s": time.monotonic() - began, "peak_mb": peak, "clips": round(hours * 60), "hours": hours}


def make_long_output(work: Path, hours: float) -> Path:
    """An output over one recording that exists, with a segment each minute."""
    long = work / "long.mp3"
    minute = write_minute(work / "minute.mp3")
    with long.open("wb") as file:
        for _ in range(round(hours * 60)):
            file.write(minute)
    root, ids = work / "long-output", {"recording_id": "long", "run_id": RUN}
    place = {"uri": f"file://{long}", "fingerprint": fingerprint_now(str(long)), "status": "ok"}
    shape = {"duration": hours * 3600, "sample_rate": 16_000, "num_channels": 1}
    segments = [
        ids
        | {"segment_id": f"long-{minute}", "channel": 0, "text": "some words"}
        | {"start": 60.0 * minute, "end": 60.0 * minute + 8.0}
        for minute in range(round(hours * 60))
    ]
    output, run = Folder(str(root)), Run(RUN, "hash", "2026-01-01T00:00:00+00:00")
    save_run(output, run)
    for table, rows in (("recordings", [ids | place | shape]), ("segments", segments), ("speech", [])):
        with writer(root, table) as file:
            file.write_table(pa.Table.from_pylist(rows, schema=TABLES[table]))
    finish_run(output, run)
    return root


if __name__ == "__main__":
    raise SystemExit(main())
