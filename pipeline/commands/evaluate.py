"""`funasr-beam evaluate`: how right are the transcripts?"""

import argparse
import contextlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from funasr_beam.model.counted import counted
from funasr_beam.model.errors import UsageError
from funasr_beam.pipeline.commands.numbers import number_from, whole_from

if TYPE_CHECKING:
    from funasr_beam.model.evaluation.results import EvaluatedRecording, Evaluation
    from funasr_beam.pipeline.console import Console
    from funasr_beam.pipeline.evaluation import Matching

_EPILOG = """\
examples:
  funasr-beam evaluate OUT                                 references are in the manifest's column `reference`
  funasr-beam evaluate OUT --references truth.jsonl --worst 10
  funasr-beam evaluate OUT --references truth.stm --max-wer 0.12 || echo "worse than allowed"
  funasr-beam evaluate OUT --references truth.csv --json | jq .errors.mixed.rate

references: CSV, TSV, JSON Lines or Parquet with `uri` or `id`, and `reference` or `text`; or STM. A failed recording
counts as an empty text, so all of its reference is deleted. exit codes: 0 fine, 1 a limit was passed, 2 wrong usage.
What is counted how: docs/evaluation.md.
"""

_LIMITS = {"words": "max_wer", "characters": "max_cer", "mixed": "max_mixed"}
_NAMES = {"words": "WER (words)", "characters": "CER (characters)", "mixed": "mixed"}


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the subcommand."""
    parser = subparsers.add_parser(
        "evaluate",
        help="compare with references: error rates, worst recordings",
        description="Compare the current transcripts of an output with references: error rates with 95 % intervals,\n"
        "the worst recordings with their differences, errors of word times where the references have times.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("output", metavar="OUT", help="folder or URI of an output")
    parser.add_argument("--references", metavar="REF", help="file of references (the manifest's own column)")
    parser.add_argument(
        "--normalizer",
        default="auto",
        choices=("auto", "english", "multilingual", "chinese", "none"),
        help="what counts as the same (auto: by each recording's language)",
    )
    parser.add_argument(
        "--form",
        default="auto",
        choices=("auto", "final", "raw"),
        help="compare text (final) or text_raw (raw, before numbers became digits); "
        "auto: raw where the reference has no digits",
    )
    parser.add_argument(
        "--worst", type=whole_from(0), default=5, metavar="N", help="recordings to show with differences (5)"
    )
    parser.add_argument(
        "--max-wer", type=number_from(0), metavar="RATE", help="exit code 1 above this WER, such as 0.1"
    )
    parser.add_argument("--max-cer", type=number_from(0), metavar="RATE", help="the same for characters")
    parser.add_argument("--max-mixed", type=number_from(0), metavar="RATE", help="the same for the mixed rate")
    parser.add_argument("--write", metavar="FILE", help="also write the counts of every recording as JSON Lines")
    parser.add_argument("--json", action="store_true", help="print everything as JSON, for scripts")


def run(arguments: argparse.Namespace) -> int:
    """Evaluate and print; gives the exit code."""
    from funasr_beam.pipeline.status import open_output

    output = open_output(arguments.output)
    evaluation, matching = _evaluate(arguments, output)
    summary = {"output": output.show(), "references": asdict(matching), **evaluation.summary()}
    passed = _passed(arguments, summary)
    with contextlib.suppress(BrokenPipeError):  # nobody reads it; the exit code stands
        if arguments.json:
            print(json.dumps({**summary, "passed_limits": passed}, indent=2, ensure_ascii=False))
        else:
            _print(evaluation, summary, matching, passed)
    return 1 if passed else 0


def _evaluate(arguments: argparse.Namespace, output: Any) -> "tuple[Evaluation, Matching]":
    from funasr_beam.model.evaluation.normalizers import NORMALIZERS
    from funasr_beam.model.evaluation.recordings import Rules
    from funasr_beam.pipeline.evaluation import evaluate_output

    wanted = arguments.normalizer
    name = "" if wanted == "auto" else next(name for name in NORMALIZERS if name.startswith(f"{wanted}-"))
    rules = Rules(name, "" if arguments.form == "auto" else arguments.form)
    if arguments.write is None:
        return evaluate_output(output, arguments.references, rules, arguments.worst)
    import fsspec

    with fsspec.open(arguments.write, "wt", encoding="utf-8") as file:

        def write(recording: "EvaluatedRecording") -> None:
            file.write(json.dumps(_line(recording), ensure_ascii=False) + "\n")

        return evaluate_output(output, arguments.references, rules, arguments.worst, write)


def _line(recording: "EvaluatedRecording") -> dict[str, Any]:
    return {
        "recording_id": recording.recording_id,
        "uri": recording.uri,
        "status": recording.status,
        "language": recording.language,
        "normalizer": recording.score.normalizer,
        "form": recording.score.form,
        **asdict(recording.score.errors),
    }


def _passed(arguments: argparse.Namespace, summary: Mapping[str, Any]) -> list[str]:
    """The limits that were passed, in words."""
    passed = []
    for unit, option in _LIMITS.items():
        limit, rate = getattr(arguments, option), summary["errors"][unit]["rate"]
        if limit is not None and rate is None:
            raise UsageError("the rate cannot be told:", ["all references are empty"])
        if limit is not None and rate > limit:
            passed.append(f"{_NAMES[unit]} is {rate:.2%}, more than --{option.replace('_', '-')} {limit:g}")
    return passed


def _print(evaluation: "Evaluation", summary: Mapping[str, Any], matching: "Matching", passed: list[str]) -> None:
    from funasr_beam.pipeline.console import Console

    console = Console(soft_wrap=True)
    _print_head(console, summary, matching)
    _print_rates(console, summary)
    if summary["times"]:
        _print_times(console, summary["times"])
    for recording in evaluation.worst():
        _print_differences(console, recording)
    for problem in passed:
        console.print(problem, style="red")


def _print_head(console: "Console", summary: Mapping[str, Any], matching: "Matching") -> None:
    statuses = ", ".join(f"{count:,} {status}" for status, count in summary["statuses"].items())
    compared = counted(summary["recordings"], "recordings")
    console.print(f"{compared} compared ({statuses}); {summary['empty']:,} without any text")
    names = ", ".join(f"{name} ({count:,})" for name, count in summary["normalizers"].items())
    forms = ", ".join(f"{name} ({count:,})" for name, count in summary["forms"].items())
    console.print(f"normalised by {names}; text compared: {forms}")
    missing = matching.references - matching.matched
    if missing:
        names = ", ".join(matching.unmatched or matching.ambiguous)
        message = f"{missing:,} of {matching.references:,} references fit no recording, or not one alone: {names}"
        console.print(message, style="yellow")


def _print_rates(console: "Console", summary: Mapping[str, Any]) -> None:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("errors in")
    for heading in ("rate", "95 % interval", "sub", "del", "ins", "of"):
        table.add_column(heading, justify="right")
    rows = {_NAMES[unit]: counts for unit, counts in summary["errors"].items()}
    if len(summary["languages"]) > 1:
        rows |= {f"  {language}, mixed": found["mixed"] for language, found in summary["languages"].items()}
    for name, counts in rows.items():
        interval = counts.get("interval")
        length = counts["hits"] + counts["substitutions"] + counts["deletions"]
        table.add_row(
            name,
            "-" if counts["rate"] is None else f"{counts['rate']:.2%}",
            f"{interval[0]:.2%} to {interval[1]:.2%}" if interval else "",
            *(f"{counts[kind]:,}" for kind in ("substitutions", "deletions", "insertions")),
            f"{length:,}",
        )
    console.print(table)


def _print_times(console: "Console", times: Mapping[str, Any]) -> None:
    for side in ("start", "end"):
        found = times[side]
        median, most, mean = (1000 * found[name] for name in ("median_s", "p95_s", "mean_signed_s"))
        console.print(
            f"word {side}s: median error {median:.0f} ms, 95 % within {most:.0f} ms, "
            f"{found['within_100_ms']:.1%} within 100 ms, {mean:+.0f} ms on average"
        )
    console.print(f"  over {times['words']:,} words that were heard right\n")


def _print_differences(console: "Console", recording: "EvaluatedRecording") -> None:
    from rich.text import Text

    from funasr_beam.model.evaluation.results import marked, pair_differences

    counts = recording.score.errors.mixed
    rate = "no reference text" if counts.rate is None else f"{counts.rate:.1%}"
    console.print(
        f"{recording.uri}: {rate}, {counts.substitutions} sub, {counts.deletions} del, {counts.insertions} ins"
        + (f" ({recording.status})" if recording.status != "ok" else ""),
        style="bold",
        markup=False,
    )
    for pair in recording.score.pairs:
        line = Text("  " if pair.channel is None else f"  channel {pair.channel}: ")
        for kind, text in marked(pair_differences(pair)):
            shown = {"equal": text, "delete": f"[-{text}-]", "insert": f"{{+{text}+}}"}[kind]
            line.append(f"{shown} ", style={"equal": "dim", "delete": "red", "insert": "green"}[kind])
        console.print(line)
