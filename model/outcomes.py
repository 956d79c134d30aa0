"""From the results of its spans to the one terminal state of a recording."""

from collections.abc import Sequence
from dataclasses import dataclass

from funasr_beam.model.audio.layout import recording_layout
from funasr_beam.model.errors import Cause
from funasr_beam.model.planning import PlannedRecording
from funasr_beam.model.records import Failure, MediaInfo, Seconds
from funasr_beam.model.results import SegmentResult, SpanResult, StageSeconds
from funasr_beam.model.text import join_texts

STATUSES = ("ok", "partial", "no_speech", "failed", "skipped")
_SAME_S = 0.05
GOOD_STATUSES = frozenset({"ok", "partial", "no_speech"})


@dataclass(frozen=True)
class Outcome:
    """What became of a recording: its status, why, and all that its spans left."""

    planned: PlannedRecording
    status: str
    failure: Failure | None
    spans: tuple[SpanResult, ...] = ()

    @property
    def segments(self) -> list[SegmentResult]:
        """All segments, by time and then by channel."""
        found = [segment for span in self.spans for segment in span.segments]
        return sorted(found, key=lambda segment: (segment.start_s, segment.channel))

    @property
    def text(self) -> str:
        """The transcript: all segments' text in order of time."""
        return join_texts([segment.text for segment in self.segments if segment.text])

    @property
    def text_raw(self) -> str:
        """The transcript as the model said it: all segments in order of time."""
        return join_texts([segment.text_raw for segment in self.segments if segment.text_raw])

    @property
    def media(self) -> MediaInfo | None:
        """What the container was found to hold."""
        return self.spans[0].media if self.spans else None

    @property
    def duration_s(self) -> Seconds:
        """Audio on the clock that was decoded."""
        return max((span.end_s for span in self.spans if span.failure is None and span.duration_s > 0), default=0.0)

    @property
    def speech_s(self) -> Seconds:
        """Raw speech over all channels."""
        return sum(interval.end_s - interval.start_s for span in self.spans for interval in span.speech)

    @property
    def layout(self) -> str | None:
        """How the channels relate: mono, stereo or dual_mono."""
        evidence = [span.layout for span in self.spans if span.layout is not None]
        return str(recording_layout(evidence)) if evidence else None

    @property
    def seconds(self) -> StageSeconds:
        """Work by stage."""
        total = StageSeconds()
        for span in self.spans:
            total += span.seconds
        return total


def judge(planned: PlannedRecording, spans: Sequence[SpanResult]) -> Outcome:
    """The terminal state of a recording from all its spans."""
    if planned.skipped:
        return Outcome(planned, "skipped", planned.failure)
    fatal = planned.failure or _fatal(spans)
    if fatal is not None:
        return Outcome(planned, "failed", fatal, tuple(spans))
    losses = [*_lost_spans(spans), *_lost_segments(spans), *_notes(spans)]
    if losses:
        return Outcome(planned, "partial", _summary(losses), tuple(spans))
    has_segments = any(span.segments for span in spans)
    return Outcome(planned, "ok" if has_segments else "no_speech", None, tuple(spans))


def _fatal(spans: Sequence[SpanResult]) -> Failure | None:
    """Why nothing at all could be transcribed, if so."""
    lost = _lost_spans(spans)
    if len(lost) == len(spans):
        return lost[0]
    segments = [segment for span in spans for segment in span.segments]
    lost_segments = _lost_segments(spans)
    if segments and len(lost_segments) == len(segments):
        return lost_segments[0]
    return _too_short(spans)


def _notes(spans: Sequence[SpanResult]) -> list[Failure]:
    """Damage by kind. How often it was met depends on how spans were packed into units, so that is not told."""
    causes = sorted({note.cause for span in spans for note in span.notes}, key=list(Cause).index)
    decoded_s = max((span.end_s for span in spans), default=0.0)
    declared_s = spans[0].media.duration_s if spans and spans[0].media else None
    is_told = declared_s is not None and abs(declared_s - decoded_s) >= _SAME_S  # of a lying header, the bytes are
    of = f" of {declared_s:.1f} s declared" if is_told else ""
    return [Failure("decode", cause, f"{cause.sentence} {decoded_s:.1f} s decoded{of}.") for cause in causes]


def _too_short(spans: Sequence[SpanResult]) -> Failure | None:
    """Under one analysis window there is nothing that could be silence or speech."""
    total_s = sum(span.duration_s for span in spans)
    if total_s >= 0.025:
        return None
    return Failure("decode", Cause.TOO_SHORT, f"{total_s * 1000:.0f} ms of audio; at least 25 ms are needed")


def _lost_spans(spans: Sequence[SpanResult]) -> list[Failure]:
    return [span.failure for span in spans if span.failure is not None]


def _lost_segments(spans: Sequence[SpanResult]) -> list[Failure]:
    return [segment.failure for span in spans for segment in span.segments if segment.failure is not None]


def _summary(losses: Sequence[Failure]) -> Failure:
    """The first loss speaks for all; the message says how many more there are."""
    first = losses[0]
    more = f" (and {len(losses) - 1} more)" if len(losses) > 1 else ""
    return Failure(first.stage, first.cause, first.message + more)
