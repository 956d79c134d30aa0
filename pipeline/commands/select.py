"""`funasr-beam select`: the segments that are good enough for a corpus, and what each threshold costs."""

import argparse
import json
import math
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from funasr_beam.model.counted import counted
from funasr_beam.model.errors import UsageError
from funasr_beam.pipeline.commands.numbers import number_from

if TYPE_CHECKING:
    import pyarrow as pa

    from funasr_beam.pipeline.selection import Criteria, Remaining, Selection

_EPILOG = """\
examples:
  funasr-beam select OUT --min-confidence 0.9 --min-snr 15 --max-clipping 0.001
  funasr-beam select OUT --language zh --min-s 2 --max-s 20 --output corpus.jsonl
  funasr-beam select OUT --agree-with OUT_OF_ANOTHER_MODEL --min-agreement 0.95 --output corpus.parquet
  funasr-beam select OUT --min-bandwidth 7000 --where "len(words) > 3 and text not like '%?%'"

Only what was stored is read, so other thresholds take seconds and no model. A value that is not known (an SNR where
there is no pause to hear the noise in) passes no threshold. Columns for --where: docs/export.md, and agreement.
--output: .parquet (all columns, with uri, metadata and agreement) or .jsonl (a manifest as NeMo reads it).
"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the subcommand."""
    parser = subparsers.add_parser(
        "select",
        help="choose the segments that are good enough for a corpus",
        description="Apply thresholds one after another to the current segments; show and write what remains.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("output_folder", metavar="OUT", help="folder or URI of an output")
    parser.add_argument(
        "--language", action="append", default=[], metavar="CODE", help="only this language, code or name; repeatable"
    )
    amount, share = number_from(0), number_from(0, 1)
    for option, kind, what in (
        ("--min-s", amount, "shortest segment, in seconds"),
        ("--max-s", amount, "longest segment, in seconds"),
        ("--min-confidence", share, "0 to 1"),
        ("--min-snr", number_from(-math.inf), "signal-to-noise ratio in dB"),
        ("--max-clipping", share, "share of samples at full scale, 0 to 1"),
        ("--min-bandwidth", amount, "in Hz; telephone speech has about 4000"),
        ("--min-chars-per-s", amount, "characters per second"),
        ("--max-chars-per-s", amount, "characters per second"),
        ("--min-agreement", share, "with the other output, 0 to 1"),
    ):
        parser.add_argument(option, type=kind, metavar="X", help=what)
    parser.add_argument("--agree-with", metavar="OUT2", help="output of another recogniser over the same recordings")
    parser.add_argument("--without-flags", action="store_true", help="leave out segments with any flag")
    parser.add_argument("--where", metavar="SQL", help="any condition over segments and their recordings")
    parser.add_argument("--output", metavar="FILE", help="write the selected segments: .parquet or .jsonl")
    parser.add_argument("--json", action="store_true", help="print the funnel as JSON, for scripts")


def run(arguments: argparse.Namespace) -> int:
    """Select, print and write; gives the exit code."""
    from funasr_beam.pipeline.selection import select_segments
    from funasr_beam.pipeline.status import open_output
    from funasr_beam.pipeline.views import open_views

    target = arguments.output
    if target is not None and not target.endswith((".parquet", ".jsonl")):
        raise UsageError(f"--output {target}:", ["must end in .parquet or .jsonl"])
    output = open_output(arguments.output_folder)
    other = open_output(arguments.agree_with) if arguments.agree_with else None
    with open_views(output) as connection:
        selection = select_segments(connection, _criteria(arguments), other)
        if target is not None:
            _write(selection, target)
    if arguments.json:
        print(json.dumps([asdict(step) for step in selection.funnel], indent=2, ensure_ascii=False))
    else:
        _print(selection.funnel, target)
    return 0


def _criteria(arguments: argparse.Namespace) -> "Criteria":
    from funasr_beam.pipeline.selection import Criteria

    return Criteria(
        languages=_languages(arguments.language),
        min_length_s=arguments.min_s,
        max_length_s=arguments.max_s,
        min_confidence=arguments.min_confidence,
        min_snr_db=arguments.min_snr,
        max_clipping=arguments.max_clipping,
        min_bandwidth_hz=arguments.min_bandwidth,
        min_chars_per_s=arguments.min_chars_per_s,
        max_chars_per_s=arguments.max_chars_per_s,
        without_flags=arguments.without_flags,
        min_agreement=arguments.min_agreement,
        where=arguments.where,
    )


def _languages(told: list[str]) -> tuple[str, ...]:
    """As the tables have them: the code of what `transcribe --language` takes, too."""
    from funasr_beam.model.languages import language_code

    try:
        return tuple(code for name in told if (code := language_code(name)) is not None)
    except ValueError as error:
        raise UsageError("--language:", [str(error)]) from error


def _write(selection: "Selection", target: str) -> None:
    """Write whole: a file that is there already is replaced only by a finished one.

    Raises:
        RunError: the folder of it cannot be made.
    """
    from fsspec.implementations.local import LocalFileSystem

    from funasr_beam.model.storage import locate
    from funasr_beam.model.storage_trouble import run_failure

    fs, path = locate(target)
    if isinstance(fs, LocalFileSystem):
        try:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise run_failure(path, error) from error
    draft = f"{path}.tmp"
    with fs.open(draft, "wb") as file:
        if target.endswith(".parquet"):
            _write_parquet(selection, file)
        else:
            for line in _manifest(selection.rows()):
                file.write((json.dumps(line, ensure_ascii=False) + "\n").encode())
    fs.mv(draft, path)


def _write_parquet(selection: "Selection", file: Any) -> None:
    import pyarrow.parquet as pq

    with pq.ParquetWriter(file, selection.schema, compression="zstd") as writer:
        for batch in selection.rows():
            writer.write_batch(batch)


def _manifest(rows: "Iterator[pa.RecordBatch]") -> Iterator[dict[str, Any]]:
    """Lines of a NeMo manifest; id and quality come as further keys, which NeMo passes on."""
    for batch in rows:
        for row in batch.to_pylist():
            channel = {"channel_selector": row["channel"]} if (row["num_channels"] or 1) > 1 else {}
            yield {
                "audio_filepath": row["uri"].removeprefix("file://"),
                "offset": row["start"],
                "duration": round(row["end"] - row["start"], 4),
                **channel,
                "text": row["text"],
                "lang": row["language"],
                "segment_id": row["segment_id"],
                "confidence": row["confidence"],
                "snr_db": row["snr_db"],
                "agreement": row["agreement"],
            }


def _print(funnel: "tuple[Remaining, ...]", target: str | None) -> None:
    from rich import box
    from rich.table import Table

    from funasr_beam.pipeline.console import Console

    console = Console()
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("step")
    for heading in ("segments", "hours", "of all", "of the step before"):
        table.add_column(heading, justify="right")
    all_s, before_s = funnel[0].seconds, funnel[0].seconds
    for step in funnel:
        shares = (f"{step.seconds / of:.1%}" if of else "-" for of in (all_s, before_s))
        table.add_row(step.step, f"{step.segments:,}", f"{step.seconds / 3600:,.2f}", *shares)
        before_s = step.seconds
    console.print(table)
    if target is not None:
        console.print(f"{counted(funnel[-1].segments, 'segments')} written to {target}", soft_wrap=True)
