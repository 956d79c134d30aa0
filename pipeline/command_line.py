"""What may be typed: the subcommands and their options, and what a misspelt word may have been meant for."""

import argparse
import difflib
import importlib
import re
from collections.abc import Sequence
from types import ModuleType
from typing import NoReturn

from funasr_beam.model.version import __version__

COMMANDS = (
    "transcribe",
    "status",
    "runs",
    "compact",
    "forget",
    "compare",
    "metrics",
    "evaluate",
    "drift",
    "select",
    "query",
    "export",
    "report",
    "convert",
    "models",
    "train",
    "synthesize",
    "worker-pool",
)
_EPILOG = """\
exit codes: 0 ok; 1 more recordings failed than --max-failed allows, or an input held none (compare: outputs differ;
evaluate, drift: a limit was passed); 2 wrong usage or configuration; 3 the run could not go on; 130 interrupted (the
same command goes on from there)
"""


class CommandLine(argparse.ArgumentParser):
    """A parser, of the program or of a subcommand, that makes suggestions."""

    def error(self, message: str) -> NoReturn:
        """End with the usage and the message."""
        chosen = re.search(r"invalid choice: '(.*?)' \(choose from (.*)\)", message)
        super().error(message + (_hint(chosen[1], re.findall(r"[\w-]+", chosen[2])) if chosen else ""))

    def refuse(self, unknown: Sequence[str]) -> NoReturn:
        """End because of words that mean nothing here."""
        options = [name for action in self._actions for name in action.option_strings]
        hints = dict.fromkeys(_hint(word.partition("=")[0], options) for word in unknown if word.startswith("--"))
        self.error(f"unrecognized arguments: {' '.join(unknown)}{''.join(hints)}")


def _hint(word: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def parse(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The subcommand and its options; what cannot be understood ends the program with exit code 2."""
    parser, commands = make_parsers()
    arguments, unknown = parser.parse_known_args(argv)
    if arguments.command == "transcribe" and not any(word.startswith("-") for word in unknown):
        arguments.input += unknown  # inputs on both sides of an option, of which argparse takes those on one
    elif unknown:
        commands[arguments.command].refuse(unknown)
    return arguments


def make_parsers() -> tuple[CommandLine, dict[str, CommandLine]]:
    """The parser of the program, and those of its subcommands."""
    parser = CommandLine(
        prog="funasr-beam",
        description="From a bucket of recordings to analysis-ready Parquet transcripts.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"funasr-beam {__version__}")
    parser.add_argument("-v", "--verbose", action="store_true", help="show the libraries' own log lines, too")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in COMMANDS:
        module_of(name).add_parser(commands)
    return parser, commands.choices


def module_of(command: str) -> ModuleType:
    """The module of a subcommand: `add_parser` describes it, `run` does it."""
    return importlib.import_module(f"funasr_beam.pipeline.commands.{command.replace('-', '_')}")
