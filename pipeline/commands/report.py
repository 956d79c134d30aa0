"""`funasr-beam report`: one page about an output."""

import argparse

_EPILOG = """\
examples:
  funasr-beam report OUT                               writes OUT/report.html
  funasr-beam report s3://bucket/out --output page.html
  funasr-beam report OUT --no-text --output for-everyone.html

The page is one file without scripts; it asks no network for anything. Each run writes one, too:
OUT/runs/RUN/report.html
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the subcommand."""
    parser = subparsers.add_parser(
        "report",
        help="write one page: is everything there, is it good, what changed, what did it cost",
        description="Write one HTML page about the current rows of an output.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("output", metavar="OUT", help="folder or URI of an output")
    parser.add_argument("--output", dest="target", metavar="FILE", help="where to write the page (OUT/report.html)")
    parser.add_argument("--run", metavar="RUN", help="the rows that one run wrote, instead of the current ones")
    parser.add_argument("--no-text", action="store_true", help="quote no transcripts")


def run(arguments: argparse.Namespace) -> int:
    """Write the page and tell where it is."""
    from funasr_beam.pipeline.report.write import ReportOptions, write_report
    from funasr_beam.pipeline.status import open_output

    options = ReportOptions(arguments.run, arguments.target, not arguments.no_text)
    place = write_report(open_output(arguments.output), options)
    print(f"report     {place}")
    return 0
