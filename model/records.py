"""What flows between the stages: frozen records, times in seconds on the original recording's clock."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from funasr_beam.model.errors import Cause

SAMPLE_RATE = 16_000
"""Samples a second of everything after decoding (Hz)."""

Samples = npt.NDArray[np.int16]
Seconds = float


def as_waveform(samples: Samples) -> npt.NDArray[np.float32]:
    """Samples as float32 from -1 to 1, as most models were trained on them."""
    return samples.astype(np.float32) / np.float32(32_768)


@dataclass(frozen=True)
class RecognitionOptions:
    """What the user knows about one recording and the recogniser may use."""

    language: str | None = None  # code such as "zh"; None: the model decides
    hotwords: tuple[str, ...] = ()
    context: str | None = None


@dataclass(frozen=True)
class Recording:
    """One input: where it is, which bytes it has, and what the user said about it."""

    id: str  # hash of uri and fingerprint, or the manifest's id; never the basename
    uri: str
    fingerprint: str  # the storage's ETag, or size and modification time
    size_bytes: int
    options: RecognitionOptions = RecognitionOptions()
    reference: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    access_uri: str | None = field(default=None, repr=False)  # uri with its credentials, if any: never written or shown


@dataclass(frozen=True)
class MediaInfo:
    """What the container says about its first audio stream, before anything is decoded."""

    container: str
    codec: str
    sample_rate: int
    num_channels: int
    duration_s: Seconds | None  # None: the container does not say
    audio_streams: int = 1  # of the file: only the first is transcribed


@dataclass(frozen=True)
class Span:
    """A part of a recording, on its own clock; both inner borders are nominal (see `cutting.settle_border`)."""

    id: str  # hash of uri, fingerprint, borders and configuration: the key of all resuming
    recording: Recording
    media: MediaInfo | None  # None: not probed, the worker asks
    index: int
    start_s: Seconds
    end_s: Seconds | None  # None: to the end, wherever that is


@dataclass(frozen=True)
class Unit:
    """The work of one element: a few spans, named by their hash."""

    name: str
    spans: tuple[Span, ...]


@dataclass(frozen=True)
class SpeechInterval:
    """Raw speech in one channel as the VAD heard it, before merging and padding."""

    channel: int
    start_s: Seconds
    end_s: Seconds


@dataclass(frozen=True, eq=False)
class Segment:
    """A stretch of one channel that is recognised at once."""

    channel: int
    index: int  # within span and channel, by time
    start_s: Seconds
    end_s: Seconds
    samples: Samples  # (frames,) mono, 16 kHz
    snr_db: float | None = None
    clipping: float | None = None  # share of samples at full scale
    bandwidth_hz: float | None = None
    speech_probability: float | None = None  # of the VAD, mean over the raw speech in it

    @property
    def duration_s(self) -> Seconds:
        """Length of the samples."""
        return len(self.samples) / SAMPLE_RATE


@dataclass(frozen=True)
class Token:
    """One token that the recogniser wrote, with its log-probability (natural logarithm)."""

    text: str
    logprob: float


@dataclass(frozen=True)
class Word:
    """A word (Chinese and Japanese: a character), with its time relative to whatever holds it."""

    text: str
    start_s: Seconds
    end_s: Seconds
    confidence: float  # 0 to 1


@dataclass(frozen=True)
class Hypothesis:
    """What the recogniser made of one utterance."""

    text: str
    tokens: tuple[Token, ...]
    finish_reason: str  # "stop" or "length"
    words: tuple[Word, ...] | None = None  # relative to the utterance; None: no aligner fits
    timestamp_source: str = "none"  # "ctc", "qwen3", "wav2vec2" or "none"
    language: str | None = None  # code of the language that the model itself named; None: it names none
    alignment_score: float | None = None  # 0 to 1, how well text and sound fit; None: nothing was aligned
    untimed: str | None = None  # flag: why the aligner that was to time the words failed; None: it did not


@dataclass(frozen=True)
class Failure:
    """Why a recording or a part of it has no transcript."""

    stage: str  # "plan", "decode", "recognise"
    cause: Cause
    message: str

    @property
    def retryable(self) -> bool:
        """Whether the same bytes may succeed on another try."""
        return self.cause.retryable
