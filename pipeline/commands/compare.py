"""`funasr-beam compare`: do two outputs hold the same transcripts?"""

import argparse
import contextlib
from itertools import islice

from funasr_beam.pipeline.commands.numbers import whole_from


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the subcommand."""
    parser = subparsers.add_parser(
        "compare",
        help="tell whether two outputs hold the same transcripts",
        description="Compare the current rows of two outputs in all columns but those that name the run or its cost. "
        "Exit code 0: equal; 1: different, and the differences are shown.",
    )
    parser.add_argument("output_a", metavar="OUT_A", help="folder or URI of an output")
    parser.add_argument("output_b", metavar="OUT_B", help="folder or URI of another output")
    parser.add_argument("--most", type=whole_from(0), default=20, metavar="N", help="differences to show (20)")


def run(arguments: argparse.Namespace) -> int:
    """Print the differences; gives the exit code."""
    from funasr_beam.pipeline.comparison import compare_outputs
    from funasr_beam.pipeline.status import open_output

    outputs = open_output(arguments.output_a), open_output(arguments.output_b)
    differences = list(islice(compare_outputs(*outputs), arguments.most + 1))
    if not differences:
        print(f"equal: {outputs[0].show()} and {outputs[1].show()}")
        return 0
    with contextlib.suppress(BrokenPipeError):  # nobody reads it; the exit code stands
        for difference in differences[: arguments.most]:
            print(f"{difference.table} {difference.key}: {difference.detail}")
        if len(differences) > arguments.most:
            print(f"... and more; only {arguments.most} are shown")
    return 1
