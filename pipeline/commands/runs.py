"""`funasr-beam runs`: the history of an output."""

import argparse
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from funasr_beam.pipeline.runs import RunEntry

_SHORT = 8  # characters of a configuration's hash that tell it from others; --json shows all
_EXAMPLES = """\
examples:
  funasr-beam runs OUT
  funasr-beam runs s3://bucket/OUT --json | jq '.[-1].recordings'
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the subcommand."""
    parser = subparsers.add_parser(
        "runs",
        help="list the runs of an output",
        description="List the runs of an output, oldest first: when, model, configuration, recordings, hours, time.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("output", metavar="OUT", help="folder or URI of an output")
    parser.add_argument("--json", action="store_true", help="print JSON, for scripts")


def run(arguments: argparse.Namespace) -> int:
    """Print the runs."""
    from funasr_beam.pipeline.runs import read_runs
    from funasr_beam.pipeline.status import open_output

    found = read_runs(open_output(arguments.output))
    if arguments.json:
        print(json.dumps([asdict(run) for run in found], indent=2, ensure_ascii=False))
    else:
        _print(found)
    return 0


def _print(found: "list[RunEntry]") -> None:
    from rich.table import Table

    from funasr_beam.pipeline.console import Console

    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for heading in ("run", "state", "model", "config"):
        table.add_column(heading, no_wrap=heading != "model", overflow="fold")
    for heading in ("recordings", "failed", "audio", "time"):
        table.add_column(heading, justify="right", no_wrap=True)
    for run in found:
        counts = (f"{sum(run.recordings.values()):,}", f"{run.recordings.get('failed', 0):,}")
        hours = "" if run.audio_hours is None else f"{run.audio_hours:,.2f} h"
        wall = "" if run.wall_s is None else f"{run.wall_s:,.0f} s"
        state = run.state if run.kind == "transcribe" else f"{run.kind}: {run.state}"
        table.add_row(run.run_id, state, run.model or "", run.config_hash[:_SHORT], *counts, hours, wall)
    Console().print_table(table)
