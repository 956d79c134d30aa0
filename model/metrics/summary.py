"""The metrics as people and programs get them: one nested summary, and one flat list for a table."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from funasr_beam.model.metrics.dataset import ERROR_KINDS, ERROR_UNITS, STAGES, DatasetMetrics
from funasr_beam.model.metrics.histograms import Bin, Histogram
from funasr_beam.model.outcomes import STATUSES
from funasr_beam.model.records import Seconds

QUANTILES = (1, 10, 25, 50, 75, 90, 99)
"""Percentiles in every summary of a distribution."""

_MICRO = 1_000_000
_HOUR_US = 3600 * _MICRO


@dataclass(frozen=True)
class Prices:
    """What an hour of machine costs, in any currency; 0: not known."""

    cpu_hour: float = 0.0
    gpu_hour: float = 0.0


@dataclass(frozen=True)
class Metric:
    """One line of `metrics.parquet`."""

    name: str  # such as `segments.confidence.p50`
    value: float
    bins: tuple[Bin, ...] = ()  # of a distribution, whose value is its number of values


def summarize(metrics: DatasetMetrics, prices: Prices = Prices()) -> dict[str, Any]:
    """Everything but the run's own wall time, nested as in `metrics.json`."""
    audio_us, totals = metrics.counter("statuses_us").total(), metrics.totals
    return {
        "recordings": {status: metrics.counter("statuses")[status] for status in STATUSES},
        "hours": _hours(metrics, "statuses"),
        "causes": _sorted(metrics.counter("causes")),
        "cause_hours": _hours(metrics, "causes"),
        "codecs": _sorted(metrics.counter("codecs")),
        "recording_languages": _sorted(metrics.counter("recording_languages")),
        "recording_language_hours": _hours(metrics, "recording_languages"),
        "recording_flags": _sorted(metrics.counter("recording_flags")),
        "audio_hours": audio_us / _HOUR_US,
        "speech_hours": totals["speech_us"] / _HOUR_US,
        "speech_ratio": _share(totals["speech_us"], totals["channel_us"]),
        "segments": _segments(metrics),
        "languages": _sorted(metrics.counter("languages")),
        "language_hours": _hours(metrics, "languages"),
        "timestamp_sources": _sorted(metrics.counter("timestamp_sources")),
        "flags": _sorted(metrics.counter("flags")),
        "confidence": {
            f"p{share}": metrics.segment_values["confidence"].quantile(share / 100) for share in (10, 50, 90)
        },
        "distributions": {
            "recordings": {name: _distribution(found) for name, found in metrics.recording_values.items()},
            "segments": {name: _distribution(found) for name, found in metrics.segment_values.items()},
        },
        "errors": {unit: _errors(metrics, unit) for unit in ERROR_UNITS},
        "normalizers": _sorted(metrics.counter("normalizers")),
        "stage_seconds": {stage: totals[f"{stage[:-2]}_us"] / _MICRO for stage in STAGES},
        "stage_rtfx": {stage[:-2]: _share(audio_us, totals[f"{stage[:-2]}_us"]) for stage in STAGES},
        "cost": _cost(metrics, prices),
    }


def summarize_run(
    metrics: DatasetMetrics, prices: Prices, wall_s: Seconds, unchanged: int, share: float = 1.0
) -> dict[str, Any]:
    """The summary of a run: with its wall time, and the recordings that it found done.

    Args:
        metrics: of the rows that the run wrote.
        prices: of an hour of machine.
        wall_s: wall time of the command that finished the run; one that was killed before it has left none.
        unchanged: recordings that an earlier run had done.
        share: of the audio that was transcribed in that time.
    """
    summary = summarize(metrics, prices)
    summary["recordings"]["unchanged"] = unchanged
    audio_s = summary["audio_hours"] * 3600 * share
    return summary | {"wall_s": wall_s, "rtfx": audio_s / wall_s if wall_s > 0 else 0.0}


def flat(metrics: DatasetMetrics, summary: Mapping[str, Any]) -> Iterator[Metric]:
    """Every number of a summary by its dotted name, then the distributions with their bins."""
    yield from (Metric(name, value) for name, value in _numbers("", summary))
    for table, values in (("recordings", metrics.recording_values), ("segments", metrics.segment_values)):
        for name, found in values.items():
            yield Metric(f"distributions.{table}.{name}", found.total, tuple(found.listed()))


def _numbers(prefix: str, content: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for name, value in content.items():
        if isinstance(value, Mapping):
            yield from _numbers(f"{prefix}{name}.", value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield f"{prefix}{name}", float(value)


def _sorted(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items()))


def _hours(metrics: DatasetMetrics, name: str) -> dict[str, float]:
    return {key: value / _HOUR_US for key, value in sorted(metrics.counter(f"{name}_us").items())}


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _segments(metrics: DatasetMetrics) -> dict[str, Any]:
    lengths, totals = metrics.segment_values["length_s"], metrics.totals
    return {
        "count": lengths.total,
        "failed": totals["failed_segments"],
        "hours": lengths.sum / 3600,
        "mean_s": lengths.mean or 0.0,
        "longest_s": max(lengths.largest, 0.0),
        "characters": totals["characters"],
        "characters_per_s": totals["characters"] / lengths.sum if lengths.sum else 0.0,
        "words": totals["words"],
    }


def _distribution(found: Histogram) -> dict[str, Any]:
    if not found.total:
        return {"count": 0}
    quantiles = {f"p{share}": found.quantile(share / 100) for share in QUANTILES}
    return {"count": found.total, "mean": found.mean, "min": found.least, **quantiles, "max": found.largest}


def _errors(metrics: DatasetMetrics, unit: str) -> dict[str, Any]:
    counts = {kind: metrics.totals[f"{unit}.{kind}"] for kind in ERROR_KINDS}
    length = counts["hits"] + counts["substitutions"] + counts["deletions"]
    errors = counts["substitutions"] + counts["deletions"] + counts["insertions"]
    return {"rate": _share(errors, length), "recordings": metrics.totals[f"{unit}.recordings"], **counts}


def _cost(metrics: DatasetMetrics, prices: Prices) -> dict[str, float | None]:
    cpu_us = sum(metrics.totals[f"{stage[:-2]}_us"] for stage in STAGES if stage != "gpu_s")
    cpu_hours, gpu_hours = cpu_us / _HOUR_US, metrics.totals["gpu_us"] / _HOUR_US
    audio_hours = metrics.counter("statuses_us").total() / _HOUR_US
    total = cpu_hours * prices.cpu_hour + gpu_hours * prices.gpu_hour
    return {
        "cpu_hours": cpu_hours,
        "gpu_hours": gpu_hours,
        "total": total,
        "per_audio_hour": _share(total, audio_hours),
    }
