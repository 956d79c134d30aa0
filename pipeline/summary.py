"""What a run prints at its end."""

from rich.console import Console
from rich.table import Table

from funasr_beam.model.errors import Cause
from funasr_beam.pipeline.transcription import RunReport

_STYLES = {"failed": "red", "partial": "yellow"}


def print_summary(report: RunReport, max_failed: float) -> None:
    """A table of what became of the recordings, and where the files are."""
    console = Console(highlight=False)
    metrics = report.metrics
    table = Table(title=f"Run {report.run_id}", title_justify="left", show_header=False)
    for status, count in metrics["recordings"].items():
        if count:
            table.add_row(status, f"{count:,}", style=_STYLES.get(status))
    for cause, count in metrics["causes"].items():
        table.add_row(f"  {cause}", f"{count:,}", style="dim")
    table.add_section()
    table.add_row("audio", f"{metrics['audio_hours']:.2f} h, of it speech {metrics['speech_hours']:.2f} h")
    table.add_row("segments", f"{metrics['segments']['count']:,}")
    table.add_row("time", f"{metrics['wall_s']:.1f} s, {metrics['rtfx']:.0f} x realtime")
    console.print(table)
    if not any(count for status, count in metrics["recordings"].items() if status != "skipped"):
        console.print("No recordings were found: is the input the right one?", style="yellow")
    for cause in metrics["causes"]:
        console.print(f"{cause}: {Cause(cause).sentence}", style="dim")
    _print_places(console, report)
    if metrics["drift"]:
        names = ", ".join(metrics["drift"])
        console.print(
            f"unlike the runs before it: {names}; see funasr-beam drift {report.output.show()}", style="yellow"
        )
    if report.failed_share > max_failed:
        console.print(f"{report.failed_share:.1%} failed, more than --max-failed {max_failed:.1%}", style="red")


def _print_places(console: Console, report: RunReport) -> None:
    for table in ("recordings", "segments", "speech"):
        console.print(f"{table:<11}{report.output.show(f'{table}/run={report.run_id}/')}", soft_wrap=True)
    console.print(f"{'metrics':<11}{report.output.show(f'runs/{report.run_id}/metrics.json')}", soft_wrap=True)
