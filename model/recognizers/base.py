"""The protocol between the pipeline and a family of models."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from funasr_beam.model.checkpoint import AudioTokens, CheckpointInfo
from funasr_beam.model.records import SAMPLE_RATE, Failure, Hypothesis, RecognitionOptions, Samples, Seconds
from funasr_beam.model.stage_clock import StageClock

if TYPE_CHECKING:
    from funasr_beam.model.batching import BatchLimits


EncoderPrecision = Literal["auto", "float32", "tf32", "bfloat16"]
LlmPrecision = Literal["auto", "float32", "bfloat16"]
ModelProcess = Literal["auto", "own", "shared"]

GPU_UNIT_S = 7_200.0
"""Audio of a unit of work for a GPU, where nobody says otherwise. Each of its steps reads all weights of the language
model, for the 60 rows of half an hour as for the 240 of two; and it hears so much in little time, so that little is
lost with a worker that dies."""


@dataclass(frozen=True, eq=False)
class Utterance:
    """What is recognised at once: samples, and what is known about them."""

    samples: Samples  # (frames,) int16, mono, 16 kHz
    options: RecognitionOptions = field(default_factory=RecognitionOptions)
    itn: bool = False  # the model's own ITN; words have times only where it is off

    @property
    def duration_s(self) -> Seconds:
        """Length of the samples."""
        return len(self.samples) / SAMPLE_RATE


@dataclass(frozen=True)
class RemoteSettings:
    """How an endpoint is asked; none of it changes a text."""

    timeout_s: Seconds = 120.0  # for one whole answer
    attempts: int = 6
    max_in_flight: int = 8  # of one worker process
    requests_per_minute: float = 0.0  # of one worker process; 0: as many as there are
    api_key_variable: str = "FUNASR_BEAM_API_KEY"  # of the environment of whoever asks; unset: no key is sent


@dataclass(frozen=True)
class RecognizerSettings:
    """How a model is run, whatever its family."""

    device: str = "auto"  # or "cpu", "cuda", "cuda:1"
    audio_tokens: AudioTokens | None = None  # None: as the checkpoint says; Fun-ASR-Nano only
    encoder_padded_s: Seconds = 0.0  # audio with its padding that is encoded at once; 0: what suits device and memory
    reserve_bytes: int = 0  # of the device's free memory, left to others
    base_tokens: int = 32  # a hypothesis may have this many tokens
    remote: RemoteSettings = field(default_factory=RemoteSettings)
    encoder_precision: EncoderPrecision = "auto"  # of encoder and adaptor, see `precision`; Fun-ASR-Nano only
    llm_precision: LlmPrecision = "auto"  # of all of a Whisper; auto: bfloat16 on a GPU that has it
    tokens_per_s: float = 20.0  # and this many per second: far above speech, well below an endless loop
    clock: StageClock = field(default_factory=StageClock, compare=False)  # told where the time goes


class Recognizer(Protocol):
    """A loaded model. Several threads may call it."""

    @property
    def batch_limits(self) -> "BatchLimits":
        """How much it is best given at once."""

    def describe(self) -> CheckpointInfo:
        """Which model this is."""

    def recognize(self, utterances: Sequence[Utterance]) -> Sequence[Hypothesis | Failure]:
        """One hypothesis per utterance, in order, each as if it had been alone; a failure where that one alone failed.

        Raises:
            RecordingError: an utterance cannot be recognised whatever is tried; the others may be fine.
            RuntimeError: the model failed, out of memory included; a smaller batch may work.
        """
