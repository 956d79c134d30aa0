"""What a unit of work leaves behind: the records that are committed, and all that later stages know."""

from dataclasses import dataclass

from funasr_beam.model.audio.layout import ChannelEvidence
from funasr_beam.model.itn import FinalWord
from funasr_beam.model.records import Failure, MediaInfo, Seconds, SpeechInterval


@dataclass(frozen=True)
class SegmentResult:
    """One segment with its text, or with the reason why it has none."""

    channel: int
    index: int
    start_s: Seconds
    end_s: Seconds
    text: str = ""
    text_raw: str = ""
    language: str | None = None
    words: tuple[FinalWord, ...] | None = None  # on the recording's clock; None: segment times only
    timestamp_source: str = "none"
    avg_logprob: float | None = None
    confidence: float | None = None
    finish_reason: str = ""
    num_tokens: int = 0
    snr_db: float | None = None
    flags: tuple[str, ...] = ()
    failure: Failure | None = None
    clipping: float | None = None  # share of samples at full scale
    bandwidth_hz: float | None = None
    speech_probability: float | None = None
    alignment_score: float | None = None
    language_source: str | None = None  # "told", "model", "detected" or "undetermined"
    language_score: float | None = None  # of the detector, 0 to 1
    attempt: int = 1  # how often it was recognised until its text was settled


@dataclass(frozen=True)
class StageSeconds:
    """Seconds of work by stage: wall time of the thread that did it.

    Without waiting for its turn at the model, or for what a process loads once.
    """

    decode_s: Seconds = 0.0
    vad_s: Seconds = 0.0
    recognize_s: Seconds = 0.0
    text_s: Seconds = 0.0

    def __add__(self, other: "StageSeconds") -> "StageSeconds":
        return StageSeconds(
            self.decode_s + other.decode_s,
            self.vad_s + other.vad_s,
            self.recognize_s + other.recognize_s,
            self.text_s + other.text_s,
        )


@dataclass(frozen=True)
class SpanResult:
    """All that came of one span; `failure` when nothing did, `notes` for damage that left something."""

    span_id: str
    recording_id: str
    index: int
    start_s: Seconds
    end_s: Seconds
    media: MediaInfo | None  # None: the file could not even be probed
    segments: tuple[SegmentResult, ...] = ()
    speech: tuple[SpeechInterval, ...] = ()
    layout: ChannelEvidence | None = None
    notes: tuple[Failure, ...] = ()
    failure: Failure | None = None
    seconds: StageSeconds = StageSeconds()
    gpu_s: Seconds = 0.0
    attempt: int = 1

    @property
    def duration_s(self) -> Seconds:
        """Audio that was decoded, on the clock (not times the channels)."""
        return self.end_s - self.start_s


@dataclass(frozen=True)
class UnitResult:
    """A finished unit, as it is committed."""

    name: str
    spans: tuple[SpanResult, ...]
    padded_s: Seconds = 0.0  # seconds that the recogniser's batches took up, padding counted
