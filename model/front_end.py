"""From a unit of work to audio in memory: decode each stretch once, settle the borders, find speech, cut."""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from funasr_beam.model.audio.decode import DecodedRange, TimeRange
from funasr_beam.model.audio.layout import ChannelEvidence, ChannelLayout, channel_evidence
from funasr_beam.model.audio.limits import DecodeLimits
from funasr_beam.model.audio.sandbox import Decoder
from funasr_beam.model.audio.source import MediaSource
from funasr_beam.model.borders import settle_border
from funasr_beam.model.errors import RecordingError
from funasr_beam.model.records import (
    SAMPLE_RATE,
    Failure,
    MediaInfo,
    Samples,
    Seconds,
    Segment,
    Span,
    SpeechInterval,
    Unit,
)
from funasr_beam.model.results import StageSeconds
from funasr_beam.model.segmentation import SegmentationConfig, cut_segments, segment_bounds, speech_intervals
from funasr_beam.model.vad import Probabilities, shared_detector

HELD_S: Seconds = 1800.0
"""From so much decoded audio on, of all channels, it is searched for speech together: 58 MB."""


@dataclass(frozen=True)
class FrontEndConfig:
    """What decides where segments begin and end."""

    segmentation: SegmentationConfig
    border_window_s: Seconds = 5.0


@dataclass(frozen=True, eq=False)
class SpanAudio:
    """The segments of one span, ready to be recognised, or the reason why there are none."""

    span: Span
    media: MediaInfo | None
    start_s: Seconds
    end_s: Seconds
    segments: tuple[Segment, ...] = ()
    speech: tuple[SpeechInterval, ...] = ()
    layout: ChannelEvidence | None = None
    notes: tuple[Failure, ...] = ()
    failure: Failure | None = None
    seconds: StageSeconds = StageSeconds()


@dataclass(frozen=True, eq=False)
class UnitAudio:
    """All audio of one unit: a batch of segments that lives inside one fused stage only."""

    unit: Unit
    spans: tuple[SpanAudio, ...]

    def __len__(self) -> int:
        """Number of segments."""
        return sum(len(span.segments) for span in self.spans)

    @property
    def num_bytes(self) -> int:
        """Bytes of samples."""
        return sum(segment.samples.nbytes for span in self.spans for segment in span.segments)


@dataclass(frozen=True, eq=False)
class _Piece:
    """A decoded span between its settled borders, not yet searched for speech."""

    span: Span
    media: MediaInfo
    start_s: Seconds
    end_s: Seconds
    samples: Samples  # (channels, frames)
    layout: ChannelEvidence
    notes: tuple[Failure, ...]
    seconds: StageSeconds

    @property
    def channels(self) -> Sequence[Samples]:
        """The channels worth searching."""
        return list(self.samples[:1] if self.layout.layout is ChannelLayout.DUAL_MONO else self.samples)


class FrontEnd:
    """Decodes and segments units, one after another; owns one decoder process."""

    def __init__(self, config: FrontEndConfig, limits: DecodeLimits) -> None:
        self._config = config
        self._decoder = Decoder(limits)
        self._detector = shared_detector()

    def prepare(self, unit: Unit) -> UnitAudio:
        """The audio of every span of the unit, in order; failures stay with their spans."""
        pieces = (piece for stretch in _stretches(unit.spans) for piece in self._decode(stretch))
        return UnitAudio(unit, tuple(audio for group in _groups(pieces) for audio in self._segment(group)))

    def close(self) -> None:
        """End the decoder process."""
        self._decoder.close()

    def _decode(self, stretch: Sequence[Span]) -> "Iterator[_Piece | SpanAudio]":
        """Decode neighbouring spans of one recording in one go, with a window beyond each inner border."""
        first, last, window_s = stretch[0], stretch[-1], self._config.border_window_s
        wanted = TimeRange(
            max(first.start_s - window_s, 0.0), last.end_s + window_s if last.end_s is not None else None
        )
        source = MediaSource(first.recording.uri, first.recording.access_uri)
        began = time.perf_counter()
        try:
            if first.media is None:
                stretch = [replace(span, media=self._decoder.probe(source)) for span in stretch]
            decoded = self._decoder.decode_range(source, wanted)
        except RecordingError as error:
            yield from (_failed(span, error) for span in stretch)
            return
        decode_s = (time.perf_counter() - began) / len(stretch)
        borders = [self._border(decoded, span.start_s) for span in stretch]
        borders.append(self._border(decoded, stretch[-1].end_s))
        for span, start_s, end_s in zip(stretch, borders, borders[1:], strict=False):
            yield _piece(span, decoded, start_s, max(start_s, end_s), decode_s)

    def _border(self, decoded: DecodedRange, nominal_s: Seconds | None) -> Seconds:
        """Where both neighbours of a nominal border agree to cut; the recording's own start and end stay."""
        audio_end_s: Seconds = decoded.start_s + decoded.samples.shape[1] / SAMPLE_RATE
        if nominal_s is None:
            return audio_end_s
        if nominal_s <= 0:
            return 0.0
        window_s = self._config.border_window_s
        from_s = nominal_s - window_s
        settled_s = settle_border(_slice(decoded, from_s, nominal_s + window_s), from_s, nominal_s)
        return min(settled_s, max(audio_end_s, from_s))

    def _segment(self, group: "Sequence[_Piece | SpanAudio]") -> Iterator[SpanAudio]:
        """Search decoded spans for speech, all channels at once, and cut them; what failed stays as it is."""
        began = time.perf_counter()
        found = iter(self._detector.speech_probabilities([ch for piece in group for ch in _channels(piece)]))
        per_sample_s = (time.perf_counter() - began) / max(1, sum(map(_num_samples, group)))
        for piece in group:
            if isinstance(piece, _Piece):
                yield self._cut(piece, list(islice(found, len(piece.channels))), per_sample_s * _num_samples(piece))
            else:
                yield piece

    def _cut(self, piece: _Piece, found: Sequence[Probabilities], detect_s: float) -> SpanAudio:
        began = time.perf_counter()
        segments: list[Segment] = []
        speech: list[SpeechInterval] = []
        for channel, (samples, probabilities) in enumerate(zip(piece.channels, found, strict=True)):
            intervals, cut = self._cut_channel(samples, probabilities, channel, piece.start_s)
            speech += intervals
            segments += cut
        vad_s = detect_s + time.perf_counter() - began
        return SpanAudio(
            span=piece.span,
            media=piece.media,
            start_s=piece.start_s,
            end_s=piece.end_s,
            segments=tuple(segments),
            speech=tuple(speech),
            layout=piece.layout,
            notes=piece.notes,
            seconds=piece.seconds + StageSeconds(vad_s=vad_s),
        )

    def _cut_channel(
        self, samples: Samples, probabilities: Probabilities, channel: int, start_s: Seconds
    ) -> tuple[list[SpeechInterval], list[Segment]]:
        config = self._config.segmentation
        duration_s = len(samples) / SAMPLE_RATE
        intervals = speech_intervals(probabilities, config, start_s, channel, start_s + duration_s)
        bounds = segment_bounds(intervals, probabilities, config, start_s, duration_s)
        return intervals, cut_segments(samples, bounds, intervals, probabilities, channel, start_s)


def _stretches(spans: Sequence[Span]) -> Iterator[list[Span]]:
    """Runs of neighbouring spans of one recording."""
    stretch: list[Span] = []
    for span in spans:
        if stretch and (span.recording.id, span.index) != (stretch[-1].recording.id, stretch[-1].index + 1):
            yield stretch
            stretch = []
        stretch.append(span)
    if stretch:
        yield stretch


def _piece(span: Span, decoded: DecodedRange, start_s: Seconds, end_s: Seconds, decode_s: float) -> _Piece:
    began = time.perf_counter()
    samples = _slice(decoded, start_s, end_s)
    layout = channel_evidence(samples)
    return _Piece(
        span=span,
        media=replace(decoded.summary.media, duration_s=span.media.duration_s if span.media else None),
        start_s=start_s,
        end_s=end_s,
        samples=samples,
        layout=layout,
        notes=tuple(Failure("decode", note.cause, note.message) for note in decoded.summary.notes),
        seconds=StageSeconds(decode_s=decode_s, vad_s=time.perf_counter() - began),
    )


def _groups(pieces: "Iterable[_Piece | SpanAudio]") -> "Iterator[list[_Piece | SpanAudio]]":
    """What is searched at once, in order: many short pieces, or a few long ones."""
    held: list[_Piece | SpanAudio] = []
    room = HELD_S * SAMPLE_RATE
    for piece in pieces:
        held.append(piece)
        room -= _num_samples(piece)
        if room <= 0:
            yield held
            held, room = [], HELD_S * SAMPLE_RATE
    if held:
        yield held


def _channels(piece: _Piece | SpanAudio) -> Sequence[Samples]:
    return piece.channels if isinstance(piece, _Piece) else ()


def _num_samples(piece: _Piece | SpanAudio) -> int:
    return sum(map(len, _channels(piece)))


def _slice(decoded: DecodedRange, start_s: Seconds, end_s: Seconds) -> Samples:
    first = round((start_s - decoded.start_s) * SAMPLE_RATE)
    last = round((end_s - decoded.start_s) * SAMPLE_RATE)
    return np.asarray(decoded.samples[:, max(first, 0) : last], dtype=np.int16)


def _failed(span: Span, error: RecordingError) -> SpanAudio:
    failure = Failure("decode", error.cause, error.message)
    return SpanAudio(span, span.media, span.start_s, span.end_s or span.start_s, failure=failure)
