"""What the report tells, read from an output: metrics of the current rows, the last runs, and the worst items."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from funasr_beam.model.metrics.dataset import DatasetMetrics
from funasr_beam.model.metrics.summary import summarize
from funasr_beam.model.records import Seconds
from funasr_beam.model.storage import Folder
from funasr_beam.pipeline.metrics import CURRENT, measure
from funasr_beam.pipeline.report.alarms import Alarm, read_alarms
from funasr_beam.pipeline.run_folder import Run, finished_runs
from funasr_beam.pipeline.views import open_views

if TYPE_CHECKING:
    import duckdb

LAST_RUNS = 12
"""Runs that are compared."""

_TROUBLES = 50
_WORST = 20
_OUTPUT_WIDE = """
SELECT model_id, model_sha256, pipeline_version, vad_version, itn_version, config_hash, count(*) AS recordings
FROM recordings WHERE model_id IS NOT NULL GROUP BY ALL ORDER BY recordings DESC, config_hash, model_sha256 LIMIT 5
"""
_TROUBLE = f"""
SELECT uri, status, error_code, error_detail, duration FROM recordings WHERE status IN ('failed', 'partial')
ORDER BY status, error_code, uri LIMIT {_TROUBLES}
"""
_SEGMENT = """
SELECT r.uri, s.channel, s.start, s."end", s.text, s.language, s.confidence, s.chars_per_s, s.flags
FROM segments s JOIN recordings r USING (recording_id, run_id) WHERE s.text IS NOT NULL AND trim(s.text) <> ''
"""
_WORST_SEGMENTS = {
    "unsure": "AND s.confidence IS NOT NULL ORDER BY s.confidence, s.segment_id",
    "flagged": "AND len(s.flags) > 0 ORDER BY len(s.flags) DESC, s.confidence, s.segment_id",
    "fast": "AND s.chars_per_s IS NOT NULL ORDER BY s.chars_per_s DESC, s.segment_id",
    "slow": 'AND s.chars_per_s IS NOT NULL AND s."end" - s.start > 2 ORDER BY s.chars_per_s, s.segment_id',
}


@dataclass(frozen=True)
class RunFigures:
    """One run in a few figures; None where its metrics do not say."""

    id: str
    started_at: str
    worked_on: int
    failed: int
    unchanged: int
    audio_hours: float
    speech_ratio: float | None
    confidence: float | None
    characters_per_s: float | None
    rtfx: float | None
    wall_s: Seconds | None

    @property
    def failed_share(self) -> float | None:
        """Failed among those that the run worked on."""
        return self.failed / self.worked_on if self.worked_on else None


@dataclass(frozen=True)
class Trouble:
    """A recording without a whole transcript."""

    uri: str
    status: str
    error_code: str
    error_detail: str
    duration_s: Seconds | None


@dataclass(frozen=True)
class WorstSegment:
    """A segment that somebody should look at."""

    uri: str
    channel: int
    start_s: Seconds
    end_s: Seconds
    text: str
    language: str | None
    confidence: float | None
    chars_per_s: float | None
    flags: tuple[str, ...]


@dataclass(frozen=True)
class ReportData:
    """All of the report, before it is words and pictures."""

    place: str
    written_at: datetime
    runs: tuple[RunFigures, ...]  # the last ones, oldest first
    num_runs: int
    summary: Mapping[str, Any]
    metrics: DatasetMetrics
    provenance: tuple[Mapping[str, Any], ...]
    alarms: tuple[Alarm, ...]
    troubles: tuple[Trouble, ...]
    worst: Mapping[str, tuple[WorstSegment, ...]]


def read_report(output: Folder, finishing: str | None = None) -> ReportData:
    """Everything the report tells about the current rows.

    Args:
        output: with or without finished runs.
        finishing: a run that has published its tables and metrics, but not its `_SUCCESS`.
    """
    runs = _runs(output, finishing)
    with open_views(output, finishing) as connection:
        metrics = measure(connection, CURRENT, []).everything
        return ReportData(
            place=output.show(),
            written_at=datetime.now(UTC),
            runs=tuple(_figures(output, run) for run in runs[-LAST_RUNS:]),
            num_runs=len(runs),
            summary=summarize(metrics),
            metrics=metrics,
            provenance=tuple(_rows(connection, _OUTPUT_WIDE)),
            alarms=read_alarms(output, runs[-1].id) if runs else (),
            troubles=tuple(_trouble(row) for row in _rows(connection, _TROUBLE)),
            worst={name: tuple(_worst(connection, rest)) for name, rest in _WORST_SEGMENTS.items()},
        )


def _runs(output: Folder, finishing: str | None) -> list[Run]:
    from funasr_beam.pipeline.run_folder import list_runs

    done = {run.id for run in finished_runs(output)}
    return [run for run in list_runs(output) if run.id in done or run.id == finishing]


def _figures(output: Folder, run: Run) -> RunFigures:
    """A run from its metrics; an earlier version's lack some."""
    path = f"{run.folder}/metrics.json"
    told: dict[str, Any] = json.loads(output.read(path)) if output.exists(path) else {}
    counts = told.get("recordings", {})
    audio_h, segments = told.get("audio_hours", 0.0), told.get("segments", {})
    speech_ratio = told.get("speech_ratio")
    if speech_ratio is None and audio_h:
        speech_ratio = told.get("speech_hours", 0.0) / audio_h
    return RunFigures(
        id=run.id,
        started_at=run.started_at,
        worked_on=sum(counts.get(status, 0) for status in ("ok", "partial", "no_speech", "failed")),
        failed=counts.get("failed", 0),
        unchanged=counts.get("unchanged", 0),
        audio_hours=audio_h,
        speech_ratio=speech_ratio,
        confidence=told.get("confidence", {}).get("p50"),
        characters_per_s=segments.get("characters_per_s") if segments.get("count") else None,
        rtfx=told.get("rtfx"),
        wall_s=told.get("wall_s"),
    )


def _rows(connection: "duckdb.DuckDBPyConnection", sql: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = connection.sql(sql).to_arrow_table().to_pylist()
    return found


def _trouble(row: Mapping[str, Any]) -> Trouble:
    detail = (row["error_detail"] or "").removeprefix(f"{row['uri']}: ")
    return Trouble(row["uri"], row["status"], row["error_code"] or "", detail, row["duration"])


def _worst(connection: "duckdb.DuckDBPyConnection", rest: str) -> Iterator[WorstSegment]:
    for row in _rows(connection, f"{_SEGMENT} {rest} LIMIT {_WORST}"):
        yield WorstSegment(
            row["uri"],
            row["channel"],
            row["start"],
            row["end"],
            row["text"],
            row["language"],
            row["confidence"],
            row["chars_per_s"],
            tuple(row["flags"] or ()),
        )
