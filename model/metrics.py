"""Metrics of a run, counted from what was committed and never from an engine's counters."""

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from funasr_beam.model.outcomes import STATUSES, Outcome
from funasr_beam.model.records import Seconds
from funasr_beam.model.results import SegmentResult, StageSeconds

_CONFIDENCE_BINS = 1000


@dataclass
class RunMetrics:
    """Grows by one recording at a time; memory does not depend on their number."""

    statuses: Counter[str] = field(default_factory=Counter)
    causes: Counter[str] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)
    flags: Counter[str] = field(default_factory=Counter)
    timestamp_sources: Counter[str] = field(default_factory=Counter)
    confidences: Counter[int] = field(default_factory=Counter)
    unchanged: int = 0
    audio_s: Seconds = 0.0
    speech_s: Seconds = 0.0
    segments: int = 0
    failed_segments: int = 0
    segment_s: Seconds = 0.0
    longest_segment_s: Seconds = 0.0
    characters: int = 0
    words: int = 0
    stages: StageSeconds = StageSeconds()
    gpu_s: Seconds = 0.0

    def add(self, outcome: Outcome) -> None:
        """Count one recording with its segments."""
        self.statuses[outcome.status] += 1
        if outcome.failure is not None:
            self.causes[outcome.failure.cause.value] += 1
        self.audio_s += outcome.duration_s
        self.speech_s += outcome.speech_s
        self.stages += outcome.seconds
        self.gpu_s += sum(span.gpu_s for span in outcome.spans)
        for span in outcome.spans:
            for segment in span.segments:
                self._add_segment(segment)

    def _add_segment(self, segment: SegmentResult) -> None:
        length_s = segment.end_s - segment.start_s
        self.segments += 1
        self.failed_segments += segment.failure is not None
        self.segment_s += length_s
        self.longest_segment_s = max(self.longest_segment_s, length_s)
        self.characters += len(segment.text)
        self.words += len(segment.words or ())
        self.languages[segment.language or "unknown"] += 1
        self.timestamp_sources[segment.timestamp_source] += 1
        self.flags.update(segment.flags)
        if segment.confidence is not None:
            self.confidences[int(segment.confidence * (_CONFIDENCE_BINS - 1) + 0.5)] += 1

    def summary(self, wall_s: Seconds) -> dict[str, Any]:
        """The metrics as they stand in `metrics.json`.

        Args:
            wall_s: wall time of the whole run, for the real-time factor.
        """
        return {
            "recordings": {status: self.statuses[status] for status in STATUSES} | {"unchanged": self.unchanged},
            "causes": dict(sorted(self.causes.items())),
            "audio_hours": self.audio_s / 3600,
            "speech_hours": self.speech_s / 3600,
            "segments": self._segment_summary(),
            "languages": dict(sorted(self.languages.items())),
            "timestamp_sources": dict(sorted(self.timestamp_sources.items())),
            "flags": dict(sorted(self.flags.items())),
            "confidence": self._confidence_summary(),
            "stage_seconds": asdict(self.stages) | {"gpu_s": self.gpu_s},
            "wall_s": wall_s,
            "rtfx": self.audio_s / wall_s if wall_s > 0 else 0.0,
        }

    def _segment_summary(self) -> dict[str, Any]:
        return {
            "count": self.segments,
            "failed": self.failed_segments,
            "mean_s": self.segment_s / self.segments if self.segments else 0.0,
            "longest_s": self.longest_segment_s,
            "characters": self.characters,
            "characters_per_s": self.characters / self.segment_s if self.segment_s else 0.0,
            "words": self.words,
        }

    def _confidence_summary(self) -> dict[str, float | None]:
        return {f"p{share}": self._quantile(share / 100) for share in (10, 50, 90)}

    def _quantile(self, share: float) -> float | None:
        """A quantile to within half a bin (0.05 %)."""
        wanted = share * sum(self.confidences.values())
        passed = 0
        for place in sorted(self.confidences):
            passed += self.confidences[place]
            if passed >= wanted:
                return place / (_CONFIDENCE_BINS - 1)
        return None
