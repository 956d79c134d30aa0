"""`funasr-beam status`: what is done, what failed and why, what is left."""

import argparse
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from funasr_beam.model.counted import counted
from funasr_beam.pipeline.commands.numbers import whole_from

if TYPE_CHECKING:
    from funasr_beam.pipeline.status import OutputStatus


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the subcommand."""
    parser = subparsers.add_parser(
        "status",
        help="tell what is done, what failed and why, and what is left",
        description="Tell what an output holds: recordings by status and cause, the ones in trouble, unfinished runs.",
    )
    parser.add_argument("output", metavar="OUT", help="folder or URI of an output")
    parser.add_argument("--json", action="store_true", help="print JSON, for scripts")
    parser.add_argument(
        "--most", type=whole_from(0), default=20, metavar="N", help="recordings in trouble to show (20)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the status."""
    from funasr_beam.pipeline.status import open_output, read_status

    output = open_output(arguments.output)
    status = read_status(output)
    if arguments.json:
        print(json.dumps(asdict(status), indent=2, ensure_ascii=False))
    else:
        _print(status, arguments.most)
    return 0


def _print(status: "OutputStatus", most: int) -> None:
    from funasr_beam.pipeline.console import Console

    console = Console(soft_wrap=True)
    counts = ", ".join(f"{count:,} {name}" for name, count in status.statuses.items()) or "no recordings yet"
    console.print(f"{counts}; {status.audio_s / 3600:.2f} h of audio in {counted(status.runs, 'finished runs')}")
    for cause, count in status.causes.items():
        console.print(f"  {cause}: {count:,}")
    for trouble in status.troubles[:most]:
        style = "red" if trouble.status == "failed" else "yellow"
        detail = trouble.error_detail.removeprefix(f"{trouble.uri}: ")
        line = f"{trouble.status:<8}{trouble.uri}: {detail}".replace("\n", "\\n")  # one, whatever the name is
        console.print(line, style=style)
    if len(status.troubles) > most:
        console.print(f"... and {len(status.troubles) - most:,} more; --json shows all")
    for run in status.unfinished:
        console.print(
            f"unfinished run {run.run_id}: {run.recordings_done:,} of {run.recordings:,} recordings, "
            f"{run.audio_done_s / 3600:.2f} of {run.audio_s / 3600:.2f} h; the same transcribe command goes on"
        )
