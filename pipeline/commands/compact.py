"""`funasr-beam compact`: the current rows become the only ones."""

import argparse

from funasr_beam.model.counted import counted
from funasr_beam.pipeline.commands.numbers import whole_from

_EXAMPLES = """\
examples:
  funasr-beam compact OUT
  funasr-beam compact s3://bucket/OUT --part-mb 256

Readers of latest.sql and of `funasr-beam query` see the same rows before, during and after. Whoever reads the files
themselves sees, for a short time, rows twice, and never fewer. Superseded rows are gone for good; what was said of the
old runs in runs/ stays. May be stopped at any moment: the same command goes on.
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the subcommand."""
    parser = subparsers.add_parser(
        "compact",
        help="rewrite an output so that it holds its current rows only",
        description="Write the current rows of all runs into one, and delete the tables of the others.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("output", metavar="OUT", help="folder or URI of an output")
    parser.add_argument(
        "--part-mb", type=whole_from(1), default=512, metavar="N", help="size of a file at most, about (512)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Compact and say what has become of it."""
    from funasr_beam.pipeline.compaction import compact
    from funasr_beam.pipeline.status import open_output

    output = open_output(arguments.output)
    report = compact(output, arguments.part_mb * 2**20)
    if report.run_id is None:
        print(f"nothing to do: {counted(report.rows, 'recordings')}, all current")
    else:
        print(
            f"{counted(report.rows, 'current recordings')} of {counted(report.rows_before, 'rows')}, "
            f"{counted(report.files, 'files')} instead of {report.files_before:,}: "
            f"{output.show(f'*/run={report.run_id}/')}"
        )
    return 0
