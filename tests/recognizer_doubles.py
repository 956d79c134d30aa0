"""A recogniser that reads texts out of samples that hold them, rightly or with a defect of real models."""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from funasr_beam.model.batching import FEW_BATCHES_S, BatchLimits
from funasr_beam.model.checkpoint import CheckpointInfo
from funasr_beam.model.errors import Cause, RecordingError
from funasr_beam.model.recognizers.base import Utterance
from funasr_beam.model.records import SAMPLE_RATE, Hypothesis, Token, Word

_SENTENCE = (
    "we would like to know when our second payment comes back because the invoice from march was paid twice and nobod"
    "y has told us what became of it since then so please call before friday or send a letter to my office in berlin"
)
WORDS = tuple(_SENTENCE.split())
HANZI = (
    "请问我们三月份的发票为什么付了两次什么时候可以退还第二笔款项"
    "因为没有人告诉过后来怎么样所以请在星期五之前打电话或者寄信到办公室谢谢"
)
WORD_S, PAUSE_S = 0.4, 0.3

Defect = Callable[[Utterance, Hypothesis], Hypothesis]


def spoken(words: Sequence[str]) -> np.ndarray:
    """Samples that hold the words, 0.4 s each, with 0.3 s of silence after it."""
    pieces = []
    for word in words:
        level = 100 * (1 + (*WORDS, *HANZI).index(word))
        pieces += [np.full(round(WORD_S * SAMPLE_RATE), level), np.zeros(round(PAUSE_S * SAMPLE_RATE))]
    return np.concatenate(pieces).astype(np.int16)


@dataclass
class Reader:
    """Gives each utterance the words that it holds, then lets the defect have its way with them."""

    defect: Defect = lambda utterance, hypothesis: hypothesis
    calls: list[list[Utterance]] = field(default_factory=list)
    batch_limits = BatchLimits(batch_cost_s=FEW_BATCHES_S)

    def describe(self) -> CheckpointInfo:
        raise NotImplementedError

    def recognize(self, utterances: Sequence[Utterance]) -> list[Hypothesis]:
        self.calls.append(list(utterances))
        return [self.defect(utterance, read(utterance)) for utterance in utterances]


def read(utterance: Utterance) -> Hypothesis:
    """The words of which the utterance holds more than half, with their times."""
    edges = np.flatnonzero(np.diff(utterance.samples, prepend=0, append=0))
    words = []
    for start, end in itertools.pairwise(edges):
        level = int(utterance.samples[start])
        if level and end - start > WORD_S / 2 * SAMPLE_RATE:
            text = (*WORDS, *HANZI)[level // 100 - 1]
            words.append(Word(text, start / SAMPLE_RATE, end / SAMPLE_RATE, 0.9))
    return written([word.text for word in words], tuple(words))


def written(texts: Sequence[str], words: tuple[Word, ...] | None = None, finish_reason: str = "stop") -> Hypothesis:
    """A hypothesis of these words, each a token of probability 0.9."""
    joint = "" if any(text in HANZI for text in texts) else " "
    tokens = tuple(Token(text, math.log(0.9)) for text in texts)
    return Hypothesis(joint.join(texts), tokens, finish_reason, words, "none" if words is None else "ctc")


def loops_above(longest_s: float, hints_only: bool = False) -> Defect:
    """Starts well, then says the same three words until the budget ends, where there is too much to listen to."""

    def defect(utterance: Utterance, right: Hypothesis) -> Hypothesis:
        told = utterance.options.hotwords or utterance.options.context
        if utterance.duration_s <= longest_s or (hints_only and not told):
            return right
        words = [token.text for token in right.tokens]
        return written(words[:4] + words[4:7] * 30, finish_reason="length")

    return defect


def breaks_off_above(longest_s: float, kept: float = 0.4) -> Defect:
    """Leaves out the rest and ends as if that were all."""

    def defect(utterance: Utterance, right: Hypothesis) -> Hypothesis:
        if utterance.duration_s <= longest_s:
            return right
        count = math.ceil(kept * len(right.tokens))
        words = None if right.words is None else right.words[:count]
        return written([token.text for token in right.tokens[:count]], words)

    return defect


def echoes_hotwords(utterance: Utterance, right: Hypothesis) -> Hypothesis:
    """Writes its hotwords where it hears nothing."""
    return right if right.text or not utterance.options.hotwords else written(utterance.options.hotwords)


def fails_below(shortest_s: float, defect: Defect) -> Defect:
    """Raises on short utterances."""

    def worse(utterance: Utterance, right: Hypothesis) -> Hypothesis:
        if utterance.duration_s < shortest_s:
            raise RecordingError(Cause.MODEL_ERROR, "too little for this double")
        return defect(utterance, right)

    return worse


def without_times(defect: Defect) -> Defect:
    """The same from a model that knows no word times."""
    return lambda utterance, right: defect(utterance, replace(right, words=None, timestamp_source="none"))
