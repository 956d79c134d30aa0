"""From a unit of work to audio in memory: decode each stretch once, settle the borders, find speech, cut."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

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


class FrontEnd:
    """Decodes and segments units, one after another; owns one decoder process."""

    def __init__(self, config: FrontEndConfig, limits: DecodeLimits) -> None:
        from funasr_beam.model.vad import shared_detector

        self._config = config
        self._decoder = Decoder(limits)
        self._detector = shared_detector()

    def prepare(self, unit: Unit) -> UnitAudio:
        """The audio of every span of the unit, in order; failures stay with their spans."""
        return UnitAudio(unit, tuple(audio for stretch in _stretches(unit.spans) for audio in self._prepare(stretch)))

    def close(self) -> None:
        """End the decoder process."""
        self._decoder.close()

    def _prepare(self, stretch: Sequence[Span]) -> Iterator[SpanAudio]:
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
        for audio in self._cut_stretch(stretch, decoded):
            yield replace(audio, seconds=audio.seconds + StageSeconds(decode_s=decode_s))

    def _cut_stretch(self, stretch: Sequence[Span], decoded: DecodedRange) -> Iterator[SpanAudio]:
        borders = [self._border(decoded, span.start_s) for span in stretch]
        borders.append(self._border(decoded, stretch[-1].end_s))
        for span, start_s, end_s in zip(stretch, borders, borders[1:], strict=False):
            yield self._cut_span(span, decoded, start_s, max(start_s, end_s))

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

    def _cut_span(self, span: Span, decoded: DecodedRange, start_s: Seconds, end_s: Seconds) -> SpanAudio:
        began = time.perf_counter()
        samples = _slice(decoded, start_s, end_s)
        layout = channel_evidence(samples)
        segments: list[Segment] = []
        speech: list[SpeechInterval] = []
        for channel in range(1 if layout.layout is ChannelLayout.DUAL_MONO else len(samples)):
            found, cut = self._cut_channel(samples[channel], channel, start_s)
            speech += found
            segments += cut
        return SpanAudio(
            span,
            replace(decoded.summary.media, duration_s=span.media.duration_s if span.media else None),
            start_s,
            end_s,
            tuple(segments),
            tuple(speech),
            layout,
            tuple(Failure("decode", note.cause, note.message) for note in decoded.summary.notes),
            seconds=StageSeconds(vad_s=time.perf_counter() - began),
        )

    def _cut_channel(
        self, samples: Samples, channel: int, start_s: Seconds
    ) -> tuple[list[SpeechInterval], list[Segment]]:
        probabilities = self._detector.speech_probabilities(samples)
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


def _slice(decoded: DecodedRange, start_s: Seconds, end_s: Seconds) -> Samples:
    first = round((start_s - decoded.start_s) * SAMPLE_RATE)
    last = round((end_s - decoded.start_s) * SAMPLE_RATE)
    return np.asarray(decoded.samples[:, max(first, 0) : last], dtype=np.int16)


def _failed(span: Span, error: RecordingError) -> SpanAudio:
    failure = Failure("decode", error.cause, error.message)
    return SpanAudio(span, span.media, span.start_s, span.end_s or span.start_s, failure=failure)
