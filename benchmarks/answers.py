"""Time and memory of report, exports and a query over a million segments, each in a process of its own.

    python -m benchmarks.answers [--segments 1000000] [--work DIR] [--store]

The output is that of `benchmarks.metrics`: 100,000 recordings with ten segments of about twelve words each. Exports are
of texts and times; clips depend on the originals' decoding (benchmarks/results/decode.json).
"""

import argparse
import json
import os
import tempfile
from pathlib import Path

from benchmarks.hardware import describe_machine
from benchmarks.metrics import make_output, measure

RESULT = Path(__file__).parent / "results" / "answers.json"
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
    parser.add_argument("--only", help="commands whose name contains this")
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
    if arguments.store:
        content = {"machine": describe_machine(), "segments": arguments.segments, "commands": found}
        RESULT.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
