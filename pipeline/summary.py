"""What a run prints at its end."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from funasr_beam.model.errors import Cause
from funasr_beam.pipeline.console import Console
from funasr_beam.pipeline.report.write import REPORT
from funasr_beam.pipeline.transcription import RunReport

_MOST_URIS = 3
_MOST_ENDINGS = 8
_STYLES = {"failed": "red", "partial": "yellow"}


def print_summary(report: RunReport, max_failed: float) -> None:
    """A table of what became of the recordings, and where the files are."""
    console = Console()
    metrics = report.metrics
    console.print(f"Run {report.run_id}")
    table = Table(show_header=False)
    for status, count in metrics["recordings"].items():
        if count:
            table.add_row(status, f"{count:,}", style=_STYLES.get(status))
    table.add_section()
    for cause, count in metrics["causes"].items():
        table.add_row(cause, f"{count:,}", style="dim")
    table.add_section()
    table.add_row("audio", _audio(metrics))
    table.add_row("segments", f"{metrics['segments']['count']:,}")
    table.add_row("time", f"{metrics['wall_s']:.1f} s, {metrics['rtfx']:.0f} x realtime")
    console.print(table)
    for text in report.empty_inputs:
        console.print(f"No recording was found in {text}: is it the right input, is it mounted?", style="yellow")
    for cause in metrics["causes"]:
        console.print(f"{cause}: {Cause(cause).sentence}", style="dim")
        if cause == Cause.EXCLUDED and metrics["left_out_endings"]:
            console.print(f"  by their endings: {_endings(metrics['left_out_endings'])}", style="dim")
    _print_places(console, report)
    if metrics["drift"]:
        names = ", ".join(metrics["drift"])
        console.print(
            f"unlike the runs before it: {names}; see funasr-beam drift {report.output.show()}", style="yellow"
        )
    _print_regressions(console, metrics["regressions"])
    if report.failed_share > max_failed:
        console.print(f"{report.failed_share:.1%} failed, more than --max-failed {max_failed:.1%}", style="red")


def _audio(metrics: Mapping[str, Any]) -> str:
    """Speech as a share: its hours are those of all channels, and may be more than the audio lasts."""
    share = metrics["speech_ratio"]
    return f"{metrics['audio_hours']:.2f} h" + ("" if share is None else f", of it speech {100 * share:.1f} %")


def _endings(counts: Mapping[str, int]) -> str:
    """The most frequent ones: a format of recordings that nobody thought of is seen here."""
    shown = ", ".join(f"{ending} ({count:,})" for ending, count in list(counts.items())[:_MOST_ENDINGS])
    return shown + (", ..." if len(counts) > _MOST_ENDINGS else "")


def _print_regressions(console: Console, regressions: Mapping[str, Any]) -> None:
    """What somebody should look at who trusts that another try or another model is never worse."""
    if regressions["kept_older"]:
        console.print(
            f"{regressions['kept_older']:,} came out worse than before; the older rows stay current", style="yellow"
        )
        _print_some(console, regressions["kept_older"], regressions["kept_older_uris"])
    if regressions["dropped"]:
        console.print(f"{regressions['dropped']:,} have less than half of their former text now", style="yellow")
        _print_some(console, regressions["dropped"], regressions["dropped_uris"])


def _print_some(console: Console, count: int, uris: Sequence[str]) -> None:
    for uri in uris[:_MOST_URIS]:
        console.print(f"  {uri}", style="dim", soft_wrap=True)
    if count > _MOST_URIS:
        console.print("  ... more in metrics.json", style="dim")


def _print_places(console: Console, report: RunReport) -> None:
    for table in ("recordings", "segments", "speech"):
        console.print(f"{table:<11}{report.output.show(f'{table}/run={report.run_id}/')}", soft_wrap=True)
    console.print(f"{'metrics':<11}{report.output.show(f'runs/{report.run_id}/metrics.json')}", soft_wrap=True)
    page = f"runs/{report.run_id}/{REPORT}"
    if report.output.exists(page):
        console.print(f"{'report':<11}{report.output.show(page)}", soft_wrap=True)
