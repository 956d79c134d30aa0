"""The report as one HTML page: no script, no request, everything from outside escaped."""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from funasr_beam.model.errors import Cause
from funasr_beam.model.outcomes import STATUSES
from funasr_beam.model.version import __version__
from funasr_beam.pipeline.report import charts, words
from funasr_beam.pipeline.report.data import ReportData, RunFigures

if TYPE_CHECKING:
    import jinja2

_TEMPLATES = Path(__file__).parent / "templates"
_STAGE_NAMES = {
    "decode_s": "decoding",
    "vad_s": "voice activity",
    "recognize_s": "recognition",
    "text_s": "times and text",
    "gpu_s": "GPU",
}
_WORST_TITLES = {
    "unsure": ("Least sure", "lowest confidence first"),
    "flagged": ("Flagged", "segments that a guard has marked"),
    "fast": ("Suspiciously fast", "most characters a second: invented text?"),
    "slow": ("Suspiciously slow", "fewest characters a second: missing text?"),
}


@dataclass(frozen=True)
class Tile:
    """One figure that stands for itself."""

    label: str
    value: str
    note: str


@dataclass(frozen=True)
class StatusPart:
    """A part of the bar that shows what became of the recordings."""

    status: str
    count: int
    share: float
    hours: str
    x: float
    width: float


def render(data: ReportData, *, with_text: bool = True) -> str:
    """The page.

    Args:
        data: what to tell.
        with_text: whether it quotes transcripts; without, it can be shown to people who may not read them.
    """
    style = (_TEMPLATES / "report.css").read_text(encoding="utf-8")
    # The page may use this very style and nothing else: no script, no frame, no form, nothing from anywhere.
    style_hash = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return _template().render(
        data=data,
        style=style,
        style_hash=style_hash,
        version=__version__,
        statuses=_statuses(data),
        tiles=_tiles(data),
        histograms=_histograms(data),
        bars=_bars(data),
        trends=_trends(data.runs),
        sentences={cause.value: cause.sentence for cause in Cause},
        worst=_worst(data) if with_text else (),
        with_text=with_text,
    )


@cache
def _template() -> "jinja2.Template":
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "clean": words.clean,
        "duration": words.duration,
        "clock": words.clock,
        "percent": words.percent,
        "number": words.number,
        "decimal": words.decimal,
        "listen_link": words.listen_link,
        "last_part": words.last_part,
        "folder_of": words.folder_of,
    }
    return environment.get_template("report.html")


def _statuses(data: ReportData) -> list[StatusPart]:
    counts, hours = data.summary["recordings"], data.summary["hours"]
    total = sum(counts.values())
    parts, x = [], 0.0
    for status in STATUSES:
        if counts[status]:
            share = counts[status] / total
            parts.append(
                StatusPart(status, counts[status], share, words.duration(3600 * hours.get(status, 0.0)), x, 100 * share)
            )
            x += 100 * share
    return parts


def _tiles(data: ReportData) -> list[Tile]:
    summary = data.summary
    segments, confidence = summary["segments"], summary["confidence"]
    newest = data.runs[-1] if data.runs else None
    ratio, rate = summary["speech_ratio"], summary["errors"]["mixed"]
    tiles = [
        Tile("Audio", words.duration(3600 * summary["audio_hours"]), "in recordings that could be read"),
        Tile(
            "Speech",
            "none" if ratio is None else words.percent(ratio),
            f"{words.duration(3600 * summary['speech_hours'])} over all channels",
        ),
        Tile("Segments", words.number(segments["count"]), f"{words.number(segments['failed'])} without a text"),
        Tile("Words", words.number(segments["words"]), "that have a time"),
    ]
    if confidence["p50"] is not None:
        low = f"one in ten is below {words.percent(confidence['p10'])}"
        tiles.append(Tile("Confidence", words.percent(confidence["p50"]), f"the median; {low}"))
    if rate["rate"] is not None:
        note = f"of {words.number(rate['recordings'])} recordings with a reference"
        tiles.append(Tile("Error rate", words.percent(rate["rate"]), note))
    if newest is not None and newest.rtfx:
        took = "" if newest.wall_s is None else f"; the last run took {words.duration(newest.wall_s)}"
        tiles.append(Tile("Speed", f"{words.decimal(newest.rtfx)} ×", f"realtime{took}"))
    cost = summary["cost"]
    gpu = f" and {words.decimal(cost['gpu_hours'])} h of GPU" if cost["gpu_hours"] else ""
    tiles.append(Tile("Work", words.duration(3600 * cost["cpu_hours"]), f"of a CPU core{gpu}"))
    return tiles


def _histograms(data: ReportData) -> list[charts.HistogramChart]:
    recordings, segments = data.metrics.recording_values, data.metrics.segment_values
    share = charts.Axis(words.percent, 0.0, 1.0)
    found = [
        charts.histogram_chart(
            "Duration", "recordings", recordings["duration_s"], charts.Axis(words.duration, logarithmic=True)
        ),
        charts.histogram_chart("Share of speech", "recordings", recordings["speech_ratio"], share),
        charts.histogram_chart("Confidence", "segments", segments["confidence"], charts.Axis(words.percent, high=1.0)),
        charts.histogram_chart(
            "Characters a second", "segments", segments["chars_per_s"], charts.Axis(words.decimal, 0.0)
        ),
        charts.histogram_chart(
            "Length", "segments", segments["length_s"], charts.Axis(words.duration, logarithmic=True)
        ),
        charts.histogram_chart("Signal to noise (dB)", "segments", segments["snr_db"], charts.Axis(words.decimal)),
    ]
    return [chart for chart in found if chart is not None]


def _bars(data: ReportData) -> list[charts.BarChart]:
    summary = data.summary
    stages = {_STAGE_NAMES[stage]: seconds for stage, seconds in summary["stage_seconds"].items()}
    causes = {cause: float(count) for cause, count in summary["causes"].items()}
    languages = {name: 3600 * hours for name, hours in summary["language_hours"].items()}
    flags = {name: float(count) for name, count in summary["flags"].items()}
    sources = {name: float(count) for name, count in summary["timestamp_sources"].items()}
    found = [
        charts.bar_chart("Causes", "recordings that failed, lack parts or were left out", causes, words.number),
        charts.bar_chart("Time by stage", "work over all workers", stages, words.duration),
        charts.bar_chart("Languages", "length of the segments", languages, words.duration),
        charts.bar_chart("Flags", "segments", flags, words.number),
        charts.bar_chart("Word times", "segments by where they come from", sources, words.number),
    ]
    return [chart for chart in found if chart is not None]


def _trends(runs: Sequence[RunFigures]) -> list[charts.TrendChart]:
    worked = [run for run in runs if run.worked_on]
    found = [
        charts.trend_chart("Audio hours", [run.audio_hours for run in worked], words.decimal),
        charts.trend_chart("Failed", [run.failed_share for run in worked], words.percent),
        charts.trend_chart("Share of speech", [run.speech_ratio for run in worked], words.percent),
        charts.trend_chart("Confidence", [run.confidence for run in worked], words.percent),
        charts.trend_chart("Characters a second", [run.characters_per_s for run in worked], words.decimal),
        charts.trend_chart("× realtime", [run.rtfx for run in worked], words.decimal),
    ]
    return [chart for chart in found if chart is not None]


def _worst(data: ReportData) -> list[dict[str, Any]]:
    return [
        {"title": title, "about": about, "segments": data.worst[name]}
        for name, (title, about) in _WORST_TITLES.items()
        if data.worst[name]
    ]
