"""`funasr-beam drift`: is the newest run different from those before it?"""

import argparse
import contextlib
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from funasr_beam.pipeline.commands.numbers import whole_from

if TYPE_CHECKING:
    from collections.abc import Sequence

    from funasr_beam.model.metrics.drift import Check, Drift
    from funasr_beam.pipeline.console import Console

_EPILOG = """\
examples:
  funasr-beam drift OUT                     the newest run against the seven before it
  funasr-beam drift OUT --runs 28 || mail -s "transcripts have changed" me@example.com < /dev/null
  funasr-beam drift OUT --run RUN --json

exit codes: 0 nothing alarming (or nothing to compare with), 1 at least one alarm, 2 wrong usage.

Recordings are compared by duration, speech, segments, confidence, speed of speech, noise, clipping, bandwidth,
certainty of the VAD, error rate, and by the shares of statuses, causes, languages, codecs and flags. A difference
alarms where it is large, is not by chance, and is beyond how the earlier runs differ from each other.
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the subcommand."""
    parser = subparsers.add_parser(
        "drift",
        help="tell whether the newest run is different from those before it",
        description="Compare a run with the runs before it in the same output.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("output", metavar="OUT", help="folder or URI of an output")
    parser.add_argument("--runs", type=whole_from(1), default=7, metavar="N", help="earlier runs to compare with (7)")
    parser.add_argument("--run", metavar="RUN", help="the run to look at (the newest)")
    parser.add_argument("--all", action="store_true", help="show every comparison, not only alarms")
    parser.add_argument("--json", action="store_true", help="print JSON, for scripts")


def run(arguments: argparse.Namespace) -> int:
    """Compare and print; gives the exit code."""
    from funasr_beam.pipeline.drift import measure_drift
    from funasr_beam.pipeline.status import open_output

    found = measure_drift(open_output(arguments.output), arguments.runs, arguments.run)
    with contextlib.suppress(BrokenPipeError):  # nobody reads it; the exit code stands
        if arguments.json:
            print(json.dumps({**asdict(found), "alarms": [check.name for check in found.alarms]}, indent=2))
        else:
            _print(found, show_all=arguments.all)
    return 1 if found.alarms else 0


def _print(found: "Drift", *, show_all: bool) -> None:
    from funasr_beam.pipeline.console import Console

    console = Console(soft_wrap=True)
    if not found.baseline:
        console.print(f"run {found.run_id}: no earlier run of at least 20 recordings to compare with")
        return
    alarms, count = len(found.alarms), len(found.checks)
    console.print(f"run {found.run_id} against {len(found.baseline)} earlier: {alarms} of {count} comparisons alarm")
    if count == 1:
        console.print("it has fewer than 20 recordings: only their number was compared", style="yellow")
    shown = found.checks if show_all else found.alarms
    if shown:
        _print_checks(console, shown)


def _print_checks(console: "Console", checks: "Sequence[Check]") -> None:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("what")
    for heading in ("before", "now", "distance", "limit"):
        table.add_column(heading, justify="right")
    for check in checks:
        numbers = (f"{value:,.4g}" for value in (check.before, check.now, check.distance, check.limit))
        table.add_row(check.name, *numbers, style="red" if check.alarm else None)
    console.print(table)
