"""`funasr-beam export`: transcripts in the formats of other tools."""

import argparse
from typing import TYPE_CHECKING

from funasr_beam.model.counted import counted
from funasr_beam.pipeline.commands.numbers import number_from

if TYPE_CHECKING:
    from collections.abc import Callable

    from funasr_beam.pipeline.console import Console
    from funasr_beam.pipeline.export.run import ExportReport, Progress

FORMAT_NAMES = (
    *("srt", "vtt", "txt", "json", "ctm", "stm", "rttm", "seglst"),
    *("nemo", "lhotse", "kaldi", "hf", "whisperx", "aws", "webdataset"),
)
_EPILOG = """\
examples:
  funasr-beam export OUT --format srt --output subtitles
  funasr-beam export OUT --format ctm --output scoring --where "language = 'en'"
  funasr-beam export OUT --format hf --output corpus --where "confidence > 0.8 and language = 'zh' and snr_db > 15"

Only current rows of finished runs go out. What is left out is counted with the reason at the end. The same command
again goes on where it was stopped. Formats, names and columns for --where: docs/export.md.
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the subcommand."""
    parser = subparsers.add_parser(
        "export",
        help="write transcripts in the formats of other tools",
        description="Write the current transcripts of an output for players, scorers, training tools or corpora.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("output", metavar="OUT", help="folder or URI of an output of transcribe")
    parser.add_argument("--format", required=True, choices=FORMAT_NAMES, metavar="FORMAT", help=", ".join(FORMAT_NAMES))
    parser.add_argument("--output", dest="target", required=True, metavar="DIR", help="folder or URI to write to")
    parser.add_argument("--where", metavar="SQL", help="only segments for which this condition holds")
    parser.add_argument(
        "--audio",
        choices=("flac", "wav", "none"),
        help="cut a clip for each segment (nemo, lhotse, kaldi: none; hf, webdataset: flac)",
    )
    parser.add_argument("--text", choices=("final", "raw"), default="final", help="raw: as the model said it (final)")
    parser.add_argument(
        "--cue-s",
        type=number_from(0),
        default=7.0,
        metavar="S",
        help="longest subtitle in seconds; 0: one a segment (7)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Export and tell what went out."""
    from funasr_beam.model.storage import Folder
    from funasr_beam.pipeline.console import Console
    from funasr_beam.pipeline.export.run import ExportOptions, export
    from funasr_beam.pipeline.status import open_output

    options = ExportOptions(
        arguments.format, arguments.where, arguments.audio, arguments.text == "raw", arguments.cue_s
    )
    target = Folder(arguments.target)
    console = Console(soft_wrap=True)
    with Console(stderr=True).status("Reading") as status:
        report = export(open_output(arguments.output), target, options, _progress(status.update))
    _print(console, report, target.show())
    return 0


def _progress(say: "Callable[[str], None]") -> "Progress":
    import time

    next_at = [0.0]

    def show(done: int, total: int) -> None:
        if time.monotonic() >= next_at[0]:
            say(f"{done:,} of {total:,} recordings")
            next_at[0] = time.monotonic() + 0.5

    return show


def _print(console: "Console", report: "ExportReport", place: str) -> None:
    counts = ", ".join(counted(count, what) for what, count in report.exported.items()) or "nothing"
    console.print(f"{report.format}: {counts} in {place}")
    for each in report.left_out:
        console.print(f"left out: {counted(each.count, each.what)}: {each.why}", style="yellow")
