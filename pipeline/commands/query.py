"""`funasr-beam query`: SQL over the current rows of an output."""

import argparse
import io
import sys

from funasr_beam.pipeline.commands.numbers import whole_from

_EPILOG = """\
views (current rows of finished runs; columns: docs/tables.md):
  recordings   one row per recording        segments   one row per segment
  words        one row per word             speech     one row per raw speech interval

examples:
  funasr-beam query OUT "select status, count(*), sum(duration) / 3600 as hours from recordings group by all"
  funasr-beam query OUT "select uri, text from recordings where text ilike '%refund%'" --format csv > refunds.csv
  funasr-beam query OUT "summarize segments"

A query reads the output and nothing else, and changes nothing. The SQL is DuckDB's.
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the subcommand."""
    parser = subparsers.add_parser(
        "query",
        help="ask an output with SQL",
        description="Run one SELECT over the views recordings, segments, words and speech.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("output", metavar="OUT", help="folder or URI of an output")
    parser.add_argument("sql", metavar="SQL", help="one SELECT in DuckDB's SQL; - reads it from standard input")
    parser.add_argument(
        "--format", choices=("table", "csv", "json", "jsonl"), default="table", help="how to print it (table)"
    )
    parser.add_argument("--most", type=whole_from(0), default=100, metavar="N", help="rows that a table shows (100)")


def run(arguments: argparse.Namespace) -> int:
    """Print the rows."""
    from funasr_beam.pipeline.query import run_query, write_csv, write_json, write_table
    from funasr_beam.pipeline.status import open_output

    if arguments.format != "table" and isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # data for programs, whatever the terminal's letters are
    writers = {
        "table": write_table(arguments.most),
        "csv": write_csv(sys.stdout),
        "json": write_json(sys.stdout),
        "jsonl": write_json(sys.stdout, lines=True),
    }
    sql = sys.stdin.read() if arguments.sql == "-" else arguments.sql
    run_query(open_output(arguments.output), sql, writers[arguments.format])
    return 0
