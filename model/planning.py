"""From recordings to units of work: probe, cut into spans, and pack what is missing."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from funasr_beam.model.ahead import map_ahead
from funasr_beam.model.borders import nominal_spans
from funasr_beam.model.errors import RecordingError
from funasr_beam.model.listing import Listed
from funasr_beam.model.records import Failure, MediaInfo, Recording, Seconds, Span, Unit

UNIT_S = 1_800.0
"""Audio of a unit where nobody says otherwise; a GPU has units of its own length."""

_ASSUMED_DURATION_S = 60.0  # for packing, where a container does not tell its length
_ASSUMED_BYTES_PER_S = 4000.0  # the same, where nobody has asked it yet: 32 kbit/s
Probe = Callable[[Recording], MediaInfo]


@dataclass(frozen=True)
class PlanRules:
    """What decides how a recording is cut; all of it is known to whoever goes on with a run."""

    span_s: Seconds
    text_hash: str
    probe_above_bytes: int = 0
    """A file up to this size is one span, whatever is in it: the worker opens it anyway, so the plan need not."""


@dataclass(frozen=True)
class PlannedRecording:
    """A recording with its spans, or with the reason why there are none."""

    recording: Recording
    config_hash: str
    media: MediaInfo | None = None  # None: not probed
    spans: tuple[Span, ...] = ()
    failure: Failure | None = None
    skipped: bool = False
    tries_before: int = 0  # in earlier runs, of these bytes under this configuration

    @property
    def audio_s(self) -> Seconds:
        """Declared audio seconds, for progress."""
        return sum(declared_s(span) for span in self.spans)


def plan_recordings(
    listed: Iterable[Listed], probe: Probe, rules: PlanRules, threads: int = 8
) -> Iterator[PlannedRecording]:
    """Probe the recordings that need it (several at once, in order, a bounded number ahead) and cut them into spans."""

    def needs_probe(item: Listed) -> bool:
        return item.failure is None and item.recording.size_bytes > rules.probe_above_bytes

    def plan(item: Listed) -> PlannedRecording:
        return _probe_one(item, probe, rules) if needs_probe(item) else _plan_one(item, rules)

    yield from map_ahead(plan, listed, threads, needs_probe)


def pack_units(spans: Iterable[Span], unit_s: Seconds) -> Iterator[Unit]:
    """Pack spans in order into units of about `unit_s` channel seconds; neighbouring spans stay together.

    A span of which at least half fits is taken in: three times ten minutes and a breath are half an hour.
    """
    held: list[Span] = []
    total = 0.0
    for span in spans:
        length = channel_s(span)
        if held and total + length / 2 > unit_s:
            yield _unit(held)
            held, total = [], 0.0
        held.append(span)
        total += length
    if held:
        yield _unit(held)


def fitting_unit_s(total_s: Seconds, unit_s: Seconds, workers: int) -> Seconds:
    """A unit length of at most `unit_s` with which every worker gets several units of the `total_s` channel seconds."""
    return min(unit_s, max(total_s / (4 * workers), 30.0))


def channel_s(span: Span) -> Seconds:
    """How much work the span is: its length, for each channel."""
    return declared_s(span) * max(span.media.num_channels if span.media else 1, 1)


def declared_s(span: Span) -> Seconds:
    """How long the span is as far as the container says, or its size."""
    if span.media is None:
        return span.recording.size_bytes / _ASSUMED_BYTES_PER_S
    end_s = span.end_s if span.end_s is not None else span.media.duration_s
    return max(end_s - span.start_s, 0.0) if end_s is not None else _ASSUMED_DURATION_S


def recording_config_hash(recording: Recording, text_hash: str) -> str:
    """The run's configuration together with this recording's own options."""
    options = recording.options
    parts = [text_hash, options.language, options.hotwords, options.context]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def cut_recording(recording: Recording, media: MediaInfo | None, span_s: Seconds, key: str) -> tuple[Span, ...]:
    """The spans of a recording; the same input always gives the same spans.

    Args:
        recording: the recording.
        media: what the probe found; None: not probed, one span.
        span_s: length of a span.
        key: hash of the configuration and the recording's options.
    """
    borders = nominal_spans(media.duration_s if media else None, span_s)
    return tuple(_span(recording, media, index, border, key) for index, border in enumerate(borders))


def _probe_one(item: Listed, probe: Probe, rules: PlanRules) -> PlannedRecording:
    try:
        return _plan_one(item, rules, probe(item.recording))
    except RecordingError as error:
        return _plan_one(replace(item, failure=Failure("plan", error.cause, error.message)), rules)


def _plan_one(item: Listed, rules: PlanRules, media: MediaInfo | None = None) -> PlannedRecording:
    key = recording_config_hash(item.recording, rules.text_hash)
    planned = PlannedRecording(
        item.recording, key, media, (), item.failure, skipped=item.skipped, tries_before=item.tries_before
    )
    if item.failure is not None:
        return planned
    return replace(planned, spans=cut_recording(item.recording, media, rules.span_s, key))


def _span(
    recording: Recording, media: MediaInfo | None, index: int, border: tuple[Seconds, Seconds | None], key: str
) -> Span:
    start_s, end_s = border
    parts = [recording.id, recording.uri, recording.fingerprint, f"{start_s:.3f}", f"{end_s}", key]
    name = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
    return Span(name, recording, media, index, start_s, end_s)


def _unit(spans: Sequence[Span]) -> Unit:
    digest = hashlib.sha256("\n".join(span.id for span in spans).encode()).hexdigest()[:32]
    return Unit(digest, tuple(spans))
