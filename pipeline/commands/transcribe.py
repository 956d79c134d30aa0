"""`funasr-beam transcribe`: recordings in, Parquet transcripts out."""

import argparse
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from funasr_beam.model.imports import import_quietly

if TYPE_CHECKING:
    from funasr_beam.pipeline.config import Config
    from funasr_beam.pipeline.transcription import RunReport

_NEEDED = ("funasr_beam.pipeline.progress", "funasr_beam.pipeline.summary", "funasr_beam.pipeline.transcription")
_EXAMPLES = """\
examples:
  funasr-beam transcribe recordings/ --output transcripts/ --model demo
  funasr-beam transcribe s3://bucket/calls/ --output s3://bucket/transcripts/ --language zh --hotword 开放时间
  funasr-beam transcribe s3://bucket/calls/ --output s3://bucket/transcripts/ --runner flink --flink-master host:8081
  funasr-beam transcribe calls/ --output transcripts/ --hotwords-file products.txt --context "calls to a bookshop"
  funasr-beam transcribe calls/ --output transcripts/ --model "http://localhost:8000/v1#Qwen/Qwen3-ASR-1.7B"
  funasr-beam transcribe manifest.csv --output transcripts/ --config run.toml --set plan.unit_s=600
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the subcommand."""
    parser = subparsers.add_parser(
        "transcribe",
        help="transcribe recordings into Parquet tables",
        description="Transcribe every recording that is not done yet; run the same command again to go on.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "input", nargs="*", metavar="INPUT", help="folder, file, glob, URI, or manifest (CSV, TSV, JSON Lines, Parquet)"
    )
    parser.add_argument("--output", metavar="OUT", help="folder or URI for the tables")
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings in TOML; see docs/configuration.md")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="one setting, such as plan.unit_s=60"
    )
    parser.add_argument(
        "--model",
        metavar="MODEL",
        help="fun-asr-nano (default), fun-asr-mlt-nano, demo; a hub id or folder of Fun-ASR, Qwen3-ASR, GLM-ASR or "
        "Whisper; or https://HOST/v1#NAME of an OpenAI-compatible service, whose key is in FUNASR_BEAM_API_KEY",
    )
    _add_hints(parser)
    parser.add_argument("--itn", choices=("rules", "model", "none"), help="how spoken numbers become digits (rules)")
    parser.add_argument(
        "--aligner",
        choices=("auto", "ctc", "qwen3", "wav2vec2", "none"),
        help="where word times come from (auto: the checkpoint's own head, else the aligners named in the settings)",
    )
    _add_engine(parser)
    _add_outcome(parser)


def _add_hints(parser: argparse.ArgumentParser) -> None:
    """What the user knows about the recordings; a manifest may say otherwise for one."""
    parser.add_argument("--language", metavar="CODE", help="language of all recordings; none: the model decides")
    parser.add_argument("--hotword", action="append", metavar="WORD", help="a word to expect; may be given repeatedly")
    parser.add_argument("--hotwords-file", metavar="FILE", help="text file or URI with a word to expect on each line")
    parser.add_argument("--context", metavar="TEXT", help="what the recordings are about, in a sentence or two")


def _add_engine(parser: argparse.ArgumentParser) -> None:
    """Where the work is done."""
    parser.add_argument(
        "--device", choices=("auto", "cpu", "cuda"), help="where the recogniser runs (auto: all GPUs, or the CPU)"
    )
    parser.add_argument("--runner", metavar="ENGINE", help="local (default), flink, dataflow, spark")
    parser.add_argument("--flink-master", metavar="HOST:PORT", help="the Flink cluster's REST interface")
    parser.add_argument(
        "--workers", type=int, metavar="N", help="units worked on at once (as many as there is room for)"
    )


def _add_outcome(parser: argparse.ArgumentParser) -> None:
    """What is tried again, and what counts as well done."""
    parser.add_argument(
        "--retry",
        choices=("failed", "partial", "all"),
        help="try again, too: every failed recording, partial transcripts, or both (failures that may pass always are)",
    )
    parser.add_argument(
        "--max-failed", metavar="SHARE", help="largest share of failed recordings for exit code 0 (5%%)"
    )
    parser.add_argument(
        "--allow-empty",
        action="store_true",
        default=None,
        help="exit code 0 also where an input holds no recording, as a share that is not mounted",
    )


def run(arguments: argparse.Namespace) -> int:
    """Transcribe and print the summary; gives the exit code."""
    from funasr_beam.pipeline.cli import EXIT_NOT_ALL_WELL, EXIT_OK

    import_quietly(*_NEEDED)
    from funasr_beam.pipeline.config_sources import load_config

    config = load_config(arguments.config, arguments.set, _flags(arguments))
    report = _transcribe(config)
    is_well = report.failed_share <= config.max_failed and (config.allow_empty or not report.empty_inputs)
    return EXIT_OK if is_well else EXIT_NOT_ALL_WELL


def _transcribe(config: "Config") -> "RunReport":
    from funasr_beam.pipeline.progress import make_display
    from funasr_beam.pipeline.summary import print_summary
    from funasr_beam.pipeline.transcription import transcribe

    display = make_display()
    try:
        report = transcribe(config, display)
    finally:
        display.close()
    with contextlib.suppress(BrokenPipeError):  # nobody reads it; what was done counts
        print_summary(report, config.max_failed)
    return report


def _flags(arguments: argparse.Namespace) -> dict[str, Any]:
    return {
        "input": tuple(arguments.input) or None,
        "output": arguments.output,
        "model": arguments.model,
        "max_failed": arguments.max_failed,
        "allow_empty": arguments.allow_empty,
        "retry": arguments.retry,
        "recognition.language": arguments.language,
        "recognition.hotwords": tuple(arguments.hotword) if arguments.hotword else None,
        "recognition.hotwords_file": arguments.hotwords_file,
        "recognition.context": arguments.context,
        "recognition.itn": arguments.itn,
        "alignment.aligner": arguments.aligner,
        "recognition.device": arguments.device,
        "runner.name": arguments.runner,
        "runner.flink_master": arguments.flink_master,
        "runner.workers": arguments.workers,
    }
