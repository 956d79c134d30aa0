"""`funasr-beam metrics`: counts, distributions, cost and error rates of an output, by any group."""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from funasr_beam.model.counted import counted
from funasr_beam.model.errors import UsageError
from funasr_beam.pipeline.commands.numbers import number_from

if TYPE_CHECKING:
    from funasr_beam.pipeline.console import Console

_WIDEST = 18  # of a group's name: its end tells more than its beginning, in folders at least
_MOST_NAMES = 20
_EPILOG = """\
examples:
  funasr-beam metrics OUT                                  everything, current rows
  funasr-beam metrics OUT --group-by language --group-by folder
  funasr-beam metrics OUT --group-by language,metadata.queue --json
  funasr-beam metrics OUT --run 20260101T020000Z-a1b2c3    what one run wrote
  funasr-beam metrics OUT --group-by metadata.queue --write metrics.parquet

The same numbers of each run are in OUT/runs/RUN/metrics.json and metrics.parquet.
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the subcommand."""
    parser = subparsers.add_parser(
        "metrics",
        help="count recordings, quality, cost and error rates, by any group",
        description="Count the current rows of an output (or the rows of one run) from its tables.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("output", metavar="OUT", help="folder or URI of an output")
    parser.add_argument(
        "--group-by",
        action="append",
        default=[],
        metavar="KEYS",
        help="language, folder, channel, metadata.NAME or a column of recordings; several with commas; repeatable",
    )
    parser.add_argument("--run", metavar="RUN", help="the rows that one run wrote, instead of the current ones")
    parser.add_argument("--json", action="store_true", help="print everything as JSON, for scripts")
    parser.add_argument("--write", metavar="FILE", help="also write all numbers as a table: .parquet")
    parser.add_argument(
        "--cpu-hour", type=number_from(0), default=0.0, metavar="PRICE", help="price of an hour of a CPU core"
    )
    parser.add_argument(
        "--gpu-hour", type=number_from(0), default=0.0, metavar="PRICE", help="price of an hour of a GPU"
    )


def run(arguments: argparse.Namespace) -> int:
    """Count and print; gives the exit code."""
    from funasr_beam.model.metrics.groups import parse_grouping
    from funasr_beam.model.metrics.summary import Prices, summarize
    from funasr_beam.model.storage import write_file
    from funasr_beam.pipeline.metrics import (
        measure_output,
        metrics_table,
        table_bytes,
        unknown_metadata,
        with_groups,
    )
    from funasr_beam.pipeline.run_folder import check_run
    from funasr_beam.pipeline.status import open_output

    if arguments.write is not None and not arguments.write.endswith(".parquet"):
        raise UsageError(f"--write {arguments.write}:", ["must end in .parquet"])
    output = open_output(arguments.output)
    groupings = [parse_grouping(text) for text in arguments.group_by]
    if arguments.run is not None:
        check_run(output, arguments.run)
    prices = Prices(arguments.cpu_hour, arguments.gpu_hour)
    metrics = measure_output(output, groupings, arguments.run)
    totals = summarize(metrics.everything, prices)
    summary = with_groups(metrics, prices, totals)
    if arguments.write is not None:
        write_file(arguments.write, table_bytes(metrics_table(metrics, prices, arguments.run or "", totals)))
    if arguments.json:
        print(json.dumps(summary, indent=2, ensure_ascii=False))
    else:
        _print(summary)
    unknown, known = unknown_metadata(output, groupings)
    if unknown:
        print(f"no recording has metadata.{', metadata.'.join(unknown)}; {_those(known)}", file=sys.stderr)
    return 0


def _those(known: Sequence[str]) -> str:
    if not known:
        return "none has any metadata: a manifest's further columns are it"
    shown = ", ".join(f"metadata.{name}" for name in known[:_MOST_NAMES])
    return f"there are {shown}" + (", ..." if len(known) > _MOST_NAMES else "")


def _print(summary: Mapping[str, Any]) -> None:
    from rich.table import Table

    from funasr_beam.pipeline.console import Console

    console = Console()
    table = Table(show_header=False, box=None)
    for name, text in _lines(summary):
        table.add_row(name, text)
    console.print_table(table)
    for name, groups in summary["groups"].items():
        _print_groups(console, name, groups)


def _lines(summary: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What a person wants to know first."""
    counts = ", ".join(f"{count:,} {status}" for status, count in summary["recordings"].items() if count)
    yield "recordings", counts or "none"
    for cause, count in summary["causes"].items():
        yield f"  {cause}", f"{count:,}"
    ratio = summary["speech_ratio"]
    yield "audio", f"{summary['audio_hours']:,.2f} h, of it speech {_percent(ratio)}"
    yield "languages", ", ".join(f"{name} {hours:,.2f} h" for name, hours in summary["language_hours"].items())
    segments = summary["segments"]
    yield "segments", f"{segments['count']:,}, {segments['failed']:,} failed; {segments['characters']:,} characters"
    for name, text in (
        ("length_s", "segment length (s)"),
        ("chars_per_s", "characters per s"),
        ("words_per_min", "words per minute"),
        ("confidence", "confidence"),
        ("repetition", "repetition"),
        ("snr_db", "signal to noise (dB)"),
    ):
        yield f"  {text}", _quantiles(summary["distributions"]["segments"][name])
    if summary["flags"]:
        yield "flags", ", ".join(f"{name} {count:,}" for name, count in summary["flags"].items())
    yield from _error_lines(summary)
    yield from _cost_lines(summary)


def _error_lines(summary: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for unit, errors in summary["errors"].items():
        if errors["recordings"]:
            kinds = f"{errors['substitutions']:,} sub, {errors['deletions']:,} del, {errors['insertions']:,} ins"
            yield (
                f"errors, {unit}",
                f"{_percent(errors['rate'])} ({kinds}) in {counted(errors['recordings'], 'recordings')}",
            )
    if summary["normalizers"]:
        yield "  normalised by", ", ".join(f"{name} ({count:,})" for name, count in summary["normalizers"].items())


def _cost_lines(summary: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for stage, rtfx in summary["stage_rtfx"].items():
        if rtfx:
            yield f"time of {stage}", f"{summary['stage_seconds'][f'{stage}_s']:,.1f} s, {rtfx:,.0f} x realtime"
    if summary["cost"]["total"]:
        yield "cost", f"{summary['cost']['total']:,.2f}, {summary['cost']['per_audio_hour']:,.4f} for an hour of audio"


def _print_groups(console: "Console", name: str, groups: Mapping[str, Mapping[str, Any]]) -> None:
    from rich import box
    from rich.table import Table

    table = Table(title=f"by {name}", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(name, no_wrap=True)
    for heading in ("record.", "not ok", "hours", "speech", "segm.", "conf.", "char/s", "errors", "CER"):
        table.add_column(heading, justify="right", no_wrap=True)
    for group, found in groups.items():
        segments = found["distributions"]["segments"]
        counts = found["recordings"]
        recordings = sum(counts.values())
        table.add_row(
            group if len(group) <= _WIDEST else f"…{group[1 - _WIDEST :]}",
            f"{recordings:,}" if recordings else "-",
            f"{counts['failed'] + counts['partial']:,}" if recordings else "-",
            f"{found['audio_hours'] or found['segments']['hours']:,.2f}",
            _percent(found["speech_ratio"]),
            f"{found['segments']['count']:,}",
            _number(segments["confidence"].get("p50")),
            _number(segments["chars_per_s"].get("p50")),
            _percent(found["errors"]["mixed"]["rate"]),
            _percent(found["errors"]["characters"]["rate"]),
        )
    console.print_table(table)


def _quantiles(found: Mapping[str, Any]) -> str:
    if not found["count"]:
        return "-"
    return f"{found['p10']:,.4g} | {found['p50']:,.4g} | {found['p90']:,.4g}   (10 %, median, 90 %)"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"
