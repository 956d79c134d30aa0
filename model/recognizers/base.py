"""The protocol between the pipeline and a family of models."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from funasr_beam.model.checkpoint import CheckpointInfo
from funasr_beam.model.records import SAMPLE_RATE, Hypothesis, RecognitionOptions, Samples, Seconds


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


class Recognizer(Protocol):
    """A loaded model. Several threads may call it."""

    @property
    def longest_segment_s(self) -> Seconds:
        """The longest utterance that the checkpoint was trained for; cutting keeps to it."""

    @property
    def on_gpu(self) -> bool:
        """Whether it computes on a GPU, so that its time is charged as such."""

    def describe(self) -> CheckpointInfo:
        """Which model this is."""

    def recognize(self, utterances: Sequence[Utterance]) -> list[Hypothesis]:
        """One hypothesis per utterance, in order, each as if it had been alone.

        Raises:
            RecordingError: an utterance cannot be recognised whatever is tried; the others may be fine.
            RuntimeError: the model failed, out of memory included; a smaller batch may work.
        """
