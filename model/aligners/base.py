"""The protocol of aligners: known words and their sound give times, or nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Protocol

from funasr_beam.model.errors import Cause
from funasr_beam.model.recognizers.base import Utterance
from funasr_beam.model.records import SAMPLE_RATE, Failure, Hypothesis, Samples, Seconds, Word

Source = Literal["ctc", "qwen3", "wav2vec2"]
"""Where word times can come from: the checkpoint's own CTC head, or a model that only aligns."""


class Untimed(StrEnum):
    """Why a text has no word times although an aligner was to give them: a flag of its segment."""

    MEMORY = "aligner_memory"
    FAILED = "aligner_failed"
    TOO_LONG = "aligner_too_long"

    @classmethod
    def of(cls, failure: Failure) -> "Untimed":
        """The flag for this failure of an aligner."""
        return cls.MEMORY if failure.cause is Cause.OUT_OF_MEMORY else cls.FAILED

    @property
    def sentence(self) -> str:
        """One sentence that tells a user what this flag means."""
        return _SENTENCES[self]


_SENTENCES = {
    Untimed.MEMORY: "No word times: the segment did not fit into the aligner's memory even on its own.",
    Untimed.FAILED: "No word times: the aligner failed on the segment even on its own.",
    Untimed.TOO_LONG: "No word times: the segment is longer than the aligner takes.",
}


@dataclass(frozen=True, eq=False)
class AlignTask:
    """A text and the sound in which it was said."""

    samples: Samples  # (frames,) int16, mono, 16 kHz
    text: str
    language: str | None  # code; None: nobody knows

    @property
    def duration_s(self) -> Seconds:
        """Length of the samples."""
        return len(self.samples) / SAMPLE_RATE

    @classmethod
    def of(cls, utterance: Utterance, hypothesis: Hypothesis) -> "AlignTask":
        """What is to be aligned of an utterance; its language is what was told, else what the model named."""
        return cls(utterance.samples, hypothesis.text, utterance.options.language or hypothesis.language)


@dataclass(frozen=True)
class Alignment:
    """The times of all words of a text, in order.

    A word is one of `word_spans`, or several where nobody knows at what time they meet, such as 今日 (kyō).
    """

    words: tuple[Word, ...]
    score: float  # 0 to 1: how well text and sound fit


class Aligner(Protocol):
    """A loaded aligner. Several threads may call it."""

    @property
    def source(self) -> Source:
        """What stands in the rows as the source of its times."""

    @property
    def longest_s(self) -> Seconds:
        """The longest sound that it takes."""

    @property
    def on_gpu(self) -> bool:
        """Whether it computes on a GPU: what does not fit there may fit into the machine's own memory."""

    def align(self, tasks: Sequence[AlignTask]) -> list[Alignment | None]:
        """One alignment per task, in order, each as if it had been alone; None where text and sound do not fit.

        Raises:
            RuntimeError: the model failed, out of memory included; a smaller batch may work.
        """


def score_of(words: Sequence[Word]) -> float:
    """How well an alignment fits: the mean of its words' confidences, which are posteriors of what was said."""
    return sum(word.confidence for word in words) / len(words) if words else 0.0
