"""Columns of a recording that sum up its segments' quality, and its errors where there is a reference."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from funasr_beam.model.evaluation.errors import TextErrors
from funasr_beam.model.evaluation.scoring import TextScore, Transcribed, choose_rules, score_text
from funasr_beam.model.outcomes import Outcome
from funasr_beam.model.results import SegmentResult

_DECIMALS = 6


def quality_columns(segments: Sequence[SegmentResult]) -> dict[str, Any]:
    """Means over a recording's segments, weighted with their lengths; null where no segment has a value."""
    spoken_s = sum(segment.end_s - segment.start_s for segment in segments if segment.failure is None)
    characters = sum(len(segment.text_raw) for segment in segments)
    return {
        "confidence": _mean(segments, "confidence"),
        "chars_per_s": round(characters / spoken_s, _DECIMALS) if spoken_s > 0 else None,
        "snr_db": _mean(segments, "snr_db"),
        "clipping": _mean(segments, "clipping"),
        "bandwidth_hz": _mean(segments, "bandwidth_hz"),
        "speech_probability": _mean(segments, "speech_probability"),
    }


def score_outcome(outcome: Outcome, language: str | None) -> TextScore | None:
    """The errors of a recording: all deletions where it failed; None without a reference or for a skipped one."""
    reference = outcome.planned.recording.reference
    if reference is None or outcome.status == "skipped":
        return None
    rules = choose_rules(reference, language)
    return score_text(reference, Transcribed(outcome.text, outcome.text_raw), *rules)


def error_columns(score: TextScore | None) -> dict[str, Any]:
    """Rates and counts of a recording; all null without a score."""
    errors = score.errors if score else TextErrors()
    return {
        "wer": _rate(errors.words.rate),
        "cer": _rate(errors.characters.rate),
        "mixed_error_rate": _rate(errors.mixed.rate),
        "word_errors": asdict(errors.words) if score else None,
        "character_errors": asdict(errors.characters) if score else None,
        "mixed_errors": asdict(errors.mixed) if score else None,
        "normalizer": score.normalizer if score else None,
    }


def _mean(segments: Sequence[SegmentResult], name: str) -> float | None:
    known = [
        (getattr(segment, name), segment.end_s - segment.start_s)
        for segment in segments
        if getattr(segment, name) is not None
    ]
    total_s = sum(length_s for _, length_s in known)
    if total_s <= 0:
        return None
    mean: float = sum(value * length_s for value, length_s in known) / total_s
    return round(mean, _DECIMALS)


def _rate(value: float | None) -> float | None:
    return None if value is None else round(value, _DECIMALS)
