"""What the report tells, read from an output: metrics of the current rows, the last runs, and the worst items."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from funasr_beam.model.metrics.dataset import DatasetMetrics
from funasr_beam.model.metrics.summary import summarize
from funasr_beam.model.records import Seconds
from funasr_beam.model.storage import Folder
from funasr_beam.pipeline.metrics import CURRENT, Source, measure
from funasr_beam.pipeline.report.alarms import DriftReport, read_drift
from funasr_beam.pipeline.run_folder import METRICS, Run, finished_run_ids, list_runs, read_if_sound
from funasr_beam.pipeline.status import IncompleteRecording
from funasr_beam.pipeline.views import open_views

if TYPE_CHECKING:
    import duckdb

LAST_RUNS = 12
"""Runs that are compared."""

_TABLES = ("recordings", "segments")

_PROVENANCE = """
SELECT model_id, model_sha256, pipeline_version, vad_version, itn_version, config_hash, count(*) AS recordings
FROM {recordings} WHERE model_id IS NOT NULL GROUP BY ALL ORDER BY recordings DESC, config_hash, model_sha256 LIMIT 5
"""
_TROUBLE = """
SELECT uri, status, error_code, error_detail, duration FROM {recordings} WHERE status IN ('failed', 'partial')
ORDER BY status, error_code, uri LIMIT 50
"""
_SEGMENT = """
SELECT r.uri, s.channel, s.start, s."end", s.text, s.language, s.confidence, s.chars_per_s, s.flags
FROM {segments} s JOIN {recordings} r USING (recording_id, run_id) WHERE s.text IS NOT NULL AND trim(s.text) <> ''
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
    run_id: str | None  # None: all current rows
    written_at: datetime
    runs: tuple[RunFigures, ...]  # the last ones, oldest first
    num_runs: int
    summary: Mapping[str, Any]
    metrics: DatasetMetrics
    provenance: tuple[Mapping[str, Any], ...]
    drift: DriftReport | None
    troubles: tuple[IncompleteRecording, ...]
    worst: Mapping[str, tuple[WorstSegment, ...]]


def read_report(output: Folder, run_id: str | None = None) -> ReportData:
    """Everything the report tells about the current rows, or about the rows that one run wrote.

    Args:
        output: with or without finished runs.
        run_id: the run; it may have published its tables and metrics, but not its `_SUCCESS` yet.
    """
    runs = _runs(output, run_id)
    with open_views(output, run_id) as connection:
        reader = _Reader(connection, CURRENT if run_id is None else _of_run(run_id))
        metrics = measure(connection, reader.source, []).everything
        return ReportData(
            place=output.show(),
            run_id=run_id,
            written_at=datetime.now(UTC),
            runs=tuple(_figures(output, run) for run in runs[-LAST_RUNS:]),
            num_runs=len(runs),
            summary=summarize(metrics),
            metrics=metrics,
            provenance=tuple(reader.rows(_PROVENANCE)),
            drift=read_drift(output, [run.id for run in runs[-LAST_RUNS:]]),
            troubles=tuple(_incomplete(row) for row in reader.rows(_TROUBLE)),
            worst={name: tuple(reader.worst(rest)) for name, rest in _WORST_SEGMENTS.items()},
        )


@dataclass(frozen=True)
class _Reader:
    """Rows of the relations that the report is about."""

    connection: "duckdb.DuckDBPyConnection"
    source: Source

    def rows(self, sql: str) -> list[dict[str, Any]]:
        filled = sql.format(recordings=self.source.recordings, segments=self.source.segments)
        found: list[dict[str, Any]] = self.connection.sql(filled).to_arrow_table().to_pylist()
        return found

    def worst(self, rest: str) -> Iterator[WorstSegment]:
        for row in self.rows(f"{_SEGMENT} {rest} LIMIT 20"):
            yield WorstSegment(
                uri=row["uri"],
                channel=row["channel"],
                start_s=row["start"],
                end_s=row["end"],
                text=row["text"],
                language=row["language"],
                confidence=row["confidence"],
                chars_per_s=row["chars_per_s"],
                flags=tuple(row["flags"] or ()),
            )


def _of_run(run_id: str) -> Source:
    run = "'" + run_id.replace("'", "''") + "'"
    return Source(*(f"(SELECT * EXCLUDE (run) FROM stored_{name} WHERE run = {run})" for name in _TABLES))


def _runs(output: Folder, last: str | None) -> list[Run]:
    """Finished runs that transcribed, oldest first, up to one of them that may not be finished yet."""
    finished = {run_id for run_id in finished_run_ids(output) if last is None or run_id < last}
    return [run for run in list_runs(output) if run.transcribed and (run.id == last or run.id in finished)]


def _figures(output: Folder, run: Run) -> RunFigures:
    """A run from its metrics; an earlier version's lack some."""
    path = f"{run.folder}/{METRICS}"
    told = read_if_sound(output, path) if output.exists(path) else {}
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


def _incomplete(row: Mapping[str, Any]) -> IncompleteRecording:
    detail = (row["error_detail"] or "").removeprefix(f"{row['uri']}: ")
    return IncompleteRecording(row["uri"], row["status"], row["error_code"] or "", detail, row["duration"])
