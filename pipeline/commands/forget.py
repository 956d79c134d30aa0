"""`funasr-beam forget`: recordings disappear from an output."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from funasr_beam.model.counted import counted
from funasr_beam.pipeline.commands.numbers import whole_from

if TYPE_CHECKING:
    import pyarrow as pa

    from funasr_beam.pipeline.forgetting import Forgotten

_EXAMPLES = """\
examples:
  funasr-beam forget OUT --where "uri LIKE '%/customer-4711/%'"          tell which ones, and change nothing
  funasr-beam forget OUT --where "uri LIKE '%/customer-4711/%'" --yes    delete them
  funasr-beam forget OUT --where "metadata['consent'] = 'withdrawn'" --yes
  funasr-beam forget s3://bucket/OUT --uris deleted.txt --yes

All rows at their URIs go, of every run, and the report pages, which quote transcripts. Rows of other recordings stay as
they are current, as after compact. May be stopped at any moment: the same command goes on. Recordings that are still in
the input are transcribed again by the next run. Exports, backups and older versions of a bucket's objects are yours to
delete.
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the subcommand."""
    parser = subparsers.add_parser(
        "forget",
        help="delete recordings from an output for good",
        description="Delete everything that an output says of some recordings, such as those that a customer or a "
        "retention rule wants deleted. Without --yes it only tells which ones.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("output", metavar="OUT", help="folder or URI of an output")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--where", metavar="SQL", help="those for which this holds, over the columns of recordings")
    which.add_argument("--uris", metavar="FILE", help="those named in a file, a path or URI on each line; - is stdin")
    parser.add_argument("--yes", action="store_true", help="delete them")
    parser.add_argument("--most", type=whole_from(0), default=20, metavar="N", help="recordings to show (20)")


def run(arguments: argparse.Namespace) -> int:
    """Tell which recordings, and delete them if that is wanted."""
    from funasr_beam.pipeline.forgetting import Wanted, find, forget, uris_of
    from funasr_beam.pipeline.status import open_output

    output = open_output(arguments.output)
    wanted = Wanted(arguments.where, uris_of(_lines(arguments.uris)) if arguments.uris is not None else ())
    if arguments.yes:
        forgotten = forget(output, wanted)  # before anything is printed: nobody may be there to read it
        _print_found(forgotten.found, wanted.uris, arguments.most)
        _print_forgotten(forgotten)
    else:
        _print_found(find(output, wanted), wanted.uris, arguments.most)
        print("nothing is changed: --yes deletes them")
    return 0


def _lines(name: str) -> list[str]:
    from funasr_beam.model.errors import UsageError

    try:
        data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        text = data.decode("utf-8-sig")
    except (OSError, ValueError) as error:
        raise UsageError("the list of recordings cannot be read:", [f"{name}: {error}"]) from error
    return [line.removesuffix("\r") for line in text.split("\n")]  # names may have other marks that end lines


def _print_found(found: "pa.Table", named: Sequence[str], most: int) -> None:
    import pyarrow.compute as pc

    from funasr_beam.pipeline.console import Console

    console = Console()
    hours = (pc.sum(found["duration"]).as_py() or 0.0) / 3600
    console.print(f"{counted(found.num_rows, 'recordings')}, {hours:,.2f} h of audio", soft_wrap=True)
    for row in found.slice(0, most).select(["uri", "status"]).to_pylist():
        console.print(f"  {row['status']} {row['uri']}", style="dim", soft_wrap=True)
    if found.num_rows > most:
        console.print(f"  and {found.num_rows - most:,} more (--most)", style="dim")
    if missing := set(named) - set(found["uri"].to_pylist()):
        console.print(f"not in this output: {len(missing):,} of the {counted(len(set(named)), 'URIs')}", style="yellow")
        for uri in sorted(missing)[:most]:
            console.print(f"  {uri}", style="dim", soft_wrap=True)


def _print_forgotten(forgotten: "Forgotten") -> None:
    print(f"deleted: {counted(forgotten.rows, 'rows')} of recordings, with their segments")
    if forgotten.pages:
        print(f"deleted: {counted(forgotten.pages, 'report pages')}; funasr-beam report writes a new one")
