"""From recordings to units of work: probe, cut into spans, and pack what is missing."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from funasr_beam.model.borders import nominal_spans
from funasr_beam.model.errors import RecordingError
from funasr_beam.model.listing import Listed
from funasr_beam.model.records import Failure, MediaInfo, Recording, Seconds, Span, Unit

_ASSUMED_DURATION_S = 60.0  # for packing, where a container does not tell its length
Probe = Callable[[Recording], MediaInfo]


@dataclass(frozen=True)
class PlannedRecording:
    """A recording with its spans, or with the reason why there are none."""

    recording: Recording
    config_hash: str
    spans: tuple[Span, ...] = ()
    failure: Failure | None = None
    skipped: bool = False

    @property
    def audio_s(self) -> Seconds:
        """Declared audio seconds, for progress."""
        return sum(declared_s(span) for span in self.spans)


def plan_recordings(
    listed: Iterable[Listed], probe: Probe, span_s: Seconds, text_hash: str, threads: int = 8
) -> Iterator[PlannedRecording]:
    """Probe each recording (several at once, in order) and cut it into spans."""

    def plan(item: Listed) -> PlannedRecording:
        return _plan_one(item, probe, span_s, text_hash)

    with ThreadPoolExecutor(threads, thread_name_prefix="probe") as pool:
        yield from pool.map(plan, listed)


def pack_units(spans: Iterable[Span], unit_s: Seconds) -> Iterator[Unit]:
    """Pack spans in order into units of about `unit_s` channel seconds; neighbouring spans stay together."""
    held: list[Span] = []
    total = 0.0
    for span in spans:
        length = declared_s(span) * max(span.media.num_channels, 1)
        if held and total + length > unit_s:
            yield _unit(held)
            held, total = [], 0.0
        held.append(span)
        total += length
    if held:
        yield _unit(held)


def fitting_unit_s(spans: Sequence[Span], unit_s: Seconds, workers: int) -> Seconds:
    """A unit length of at most `unit_s` with which every worker gets several units."""
    total = sum(declared_s(span) * max(span.media.num_channels, 1) for span in spans)
    return min(unit_s, max(total / (4 * workers), 30.0))


def declared_s(span: Span) -> Seconds:
    """How long the span is as far as the container says."""
    end_s = span.end_s if span.end_s is not None else span.media.duration_s
    return max(end_s - span.start_s, 0.0) if end_s is not None else _ASSUMED_DURATION_S


def recording_config_hash(recording: Recording, text_hash: str) -> str:
    """The run's configuration together with this recording's own options."""
    options = recording.options
    parts = [text_hash, options.language or "", *options.hotwords, "|", options.context or ""]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _plan_one(item: Listed, probe: Probe, span_s: Seconds, text_hash: str) -> PlannedRecording:
    key = recording_config_hash(item.recording, text_hash)
    if item.failure is not None:
        return PlannedRecording(item.recording, key, failure=item.failure, skipped=item.skipped)
    try:
        media = probe(item.recording)
    except RecordingError as error:
        return PlannedRecording(item.recording, key, failure=Failure("plan", error.cause, error.message))
    borders = nominal_spans(media.duration_s, span_s)
    spans = tuple(_span(item.recording, media, index, border, key) for index, border in enumerate(borders))
    return PlannedRecording(item.recording, key, spans)


def _span(recording: Recording, media: MediaInfo, index: int, border: tuple[Seconds, Seconds | None], key: str) -> Span:
    start_s, end_s = border
    parts = [recording.id, recording.uri, recording.fingerprint, f"{start_s:.3f}", f"{end_s}", key]
    name = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
    return Span(name, recording, media, index, start_s, end_s)


def _unit(spans: Sequence[Span]) -> Unit:
    digest = hashlib.sha256("\n".join(span.id for span in spans).encode()).hexdigest()[:32]
    return Unit(digest, tuple(spans))
