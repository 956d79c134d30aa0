"""Rows of the published tables, made from an outcome."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from funasr_beam.model.itn import FinalWord
from funasr_beam.model.outcomes import GOOD_STATUSES, Outcome
from funasr_beam.model.results import SegmentResult
from funasr_beam.model.scores import error_columns, quality_columns, score_outcome
from funasr_beam.model.tables import SCHEMA_VERSION

Row = dict[str, Any]
"""One row of a table, by column; made here and handed to Arrow at once."""

_TIME_DECIMALS = 4  # 0.1 ms: finer than a sample at 8 kHz
_SCORE_DECIMALS = 6


@dataclass(frozen=True)
class Provenance:
    """Which run, model and versions made a row."""

    run_id: str
    model_id: str
    model_sha256: str | None  # None: the weights are remote
    pipeline_version: str
    vad_version: str
    itn_version: str
    processed_at: datetime


def recording_row(outcome: Outcome, provenance: Provenance) -> Row:
    """The terminal row of a recording."""
    recording, segments, seconds = outcome.planned.recording, outcome.segments, outcome.seconds
    text = outcome.text if outcome.status in GOOD_STATUSES else None
    language = _language(segments, recording.options.language)
    return {
        "recording_id": recording.id,
        "uri": recording.uri,
        "fingerprint": recording.fingerprint,
        "size_bytes": recording.size_bytes,
        "status": outcome.status,
        "error_code": outcome.failure.cause.value if outcome.failure else None,
        "error_detail": outcome.failure.message if outcome.failure else None,
        "attempts": outcome.planned.tries_before + max((span.attempt for span in outcome.spans), default=1),
        **_media_columns(outcome),
        "language": language,
        "text": text,
        "num_segments": len(segments),
        "num_characters": len(text or ""),
        "num_words": sum(len(segment.words or ()) for segment in segments),
        "flags": sorted({flag for segment in segments for flag in segment.flags}),
        "missing": list(_missing(outcome)),
        "reference": recording.reference,
        "config_hash": outcome.planned.config_hash,
        **quality_columns(segments),
        **error_columns(score_outcome(outcome, language)),
        **asdict(seconds),
        "cpu_s": seconds.decode_s + seconds.vad_s + seconds.recognize_s + seconds.text_s,
        "gpu_s": sum(span.gpu_s for span in outcome.spans),
        "metadata": sorted(recording.metadata.items()),
        "schema_version": SCHEMA_VERSION,
        **asdict(provenance),
    }


def _media_columns(outcome: Outcome) -> Row:
    """What the file is; null where it could not be opened."""
    media = outcome.media
    if media is None:
        return {"channel_layout": outcome.layout}
    return {
        "container": media.container,
        "codec": media.codec,
        "sample_rate": media.sample_rate,
        "num_channels": media.num_channels,
        "audio_streams": media.audio_streams,
        "channel_layout": outcome.layout,
        "duration": _time(outcome.duration_s),
        "duration_header": _time(media.duration_s),
        "speech_duration": _time(outcome.speech_s),
    }


def segment_rows(outcome: Outcome, provenance: Provenance) -> Iterator[Row]:
    """A row for each segment, failed ones too, by time."""
    recording = outcome.planned.recording
    scores = _segment_scores(outcome)
    for segment in outcome.segments:
        length_s = segment.end_s - segment.start_s
        yield {
            "segment_id": f"{recording.id}-{segment.channel}-{round(segment.start_s * 1000):010d}",
            "recording_id": recording.id,
            "channel": segment.channel,
            "start": _time(segment.start_s),
            "end": _time(segment.end_s),
            "text": None if segment.failure else segment.text,
            "text_raw": None if segment.failure else segment.text_raw,
            "language": segment.language,
            "language_source": segment.language_source,
            "language_score": _score(segment.language_score),
            "avg_logprob": _score(segment.avg_logprob),
            "confidence": _score(segment.confidence),
            "finish_reason": segment.finish_reason or None,
            "num_tokens": segment.num_tokens,
            "chars_per_s": _score(len(segment.text_raw) / length_s) if length_s > 0 else None,
            "flags": list(segment.flags),
            "timestamp_source": segment.timestamp_source,
            "alignment_score": _score(segment.alignment_score),
            "snr_db": _score(segment.snr_db),
            "clipping": _score(segment.clipping),
            "bandwidth_hz": segment.bandwidth_hz,
            "speech_probability": _score(segment.speech_probability),
            "error_code": segment.failure.cause.value if segment.failure else None,
            **scores,
            "words": None if segment.words is None else [_word(word) for word in segment.words],
            "attempt": segment.attempt,
            "run_id": provenance.run_id,
        }


def speech_rows(outcome: Outcome, provenance: Provenance) -> Iterator[Row]:
    """A row for each raw speech interval of a channel."""
    intervals = [interval for span in outcome.spans for interval in span.speech]
    for interval in sorted(intervals, key=lambda found: (found.start_s, found.channel)):
        yield {
            "recording_id": outcome.planned.recording.id,
            "channel": interval.channel,
            "start": _time(interval.start_s),
            "end": _time(interval.end_s),
            "run_id": provenance.run_id,
        }


def _segment_scores(outcome: Outcome) -> Row:
    """A reference has no times: only the one segment of a recording can be compared with it."""
    segments, reference = outcome.segments, outcome.planned.recording.reference
    if reference is None or len(segments) != 1:
        return {}
    errors = error_columns(score_outcome(outcome, _language(segments, outcome.planned.recording.options.language)))
    return {"reference": reference, "wer": errors["wer"], "cer": errors["cer"]}


def _missing(outcome: Outcome) -> Iterator[Row]:
    """The stretches that have no transcript, for a `partial` row to name."""
    for span in outcome.spans:
        if span.failure is not None:
            yield _gap(None, span.start_s, span.end_s, span.failure.cause.value)
        for segment in span.segments:
            if segment.failure is not None:
                yield _gap(segment.channel, segment.start_s, segment.end_s, segment.failure.cause.value)


def _gap(channel: int | None, start_s: float, end_s: float, cause: str) -> Row:
    return {"channel": channel, "start": _time(start_s), "end": _time(end_s), "error_code": cause}


def _time(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, _TIME_DECIMALS)


def _score(value: float | None) -> float | None:
    return None if value is None else round(value, _SCORE_DECIMALS)


def _word(word: FinalWord) -> Row:
    return {
        "word": word.text,
        "start": _time(word.start_s),
        "end": _time(word.end_s),
        "confidence": round(word.confidence, _SCORE_DECIMALS),
        "raw_start": word.raw_start,
        "raw_end": word.raw_end,
    }


def _language(segments: list[SegmentResult], told: str | None) -> str | None:
    """The language that covers most of the recording, or what the user said."""
    lengths: dict[str, float] = {}
    for segment in segments:
        if segment.language:
            lengths[segment.language] = lengths.get(segment.language, 0.0) + segment.end_s - segment.start_s
    return max(lengths, key=lambda language: (lengths[language], language)) if lengths else told
