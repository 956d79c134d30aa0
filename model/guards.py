"""What can be wrong with a hypothesis, told from its text, its tokens and the sound: pure rules, no second opinion."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import regex  # type: ignore[import-untyped]

from funasr_beam.model.confidence import segment_confidence
from funasr_beam.model.loops import is_loop
from funasr_beam.model.records import Hypothesis, RecognitionOptions, Samples, Seconds

WEAK_SPEECH = 0.8
"""Mean VAD probability over raw speech under which something else may have been taken for it.

Of tones, DTMF and ringing that pass the VAD 0.36 to 0.8; of speech over one second mostly over 0.8, of single words
from 0.47 on: on its own it says too little. Measured on 200 clips without speech and 260 human prompts.
"""
TONES_UNDER = 0.9
"""Mean VAD probability under which it pays to look for tones, which takes milliseconds."""
UNSURE = 0.6
"""Mean token probability under which the model itself doubts; it was 0.5 at most on clips without speech."""
TONAL = 0.99
"""Share of the power in two narrow bands, median over the loud frames.

0.91 to 1.0 for tones that pass the VAD, 0.984 at most for 300 human prompts.
"""

_FASTEST = 35.0  # letters a second; a Chinese character or a Korean syllable counts as 2.5
_SLOWEST = 3.0
_SLOWEST_FROM_S = 3.0
_LONGEST_GAP_S = 2.5
_WIDE_WEIGHT = 2.5
_DIGIT_WEIGHT = 4.0
_ECHOED_SHARE = 0.8
_FFT_SAMPLES = 1024
_LETTERS = regex.compile(r"[\p{L}\p{N}]")
_DIGITS = regex.compile(r"\p{N}")
_WIDE = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}]")


class Symptom(StrEnum):
    """What is wrong with a hypothesis; with `_repaired` behind it: what was wrong with the first, and no longer is."""

    TOKEN_LIMIT = "token_limit"
    LOOP = "loop"
    TOO_FAST = "too_fast"
    TOO_SLOW = "too_slow"
    GAP = "gap"
    HOTWORD_ECHO = "hotword_echo"
    NON_SPEECH = "non_speech"
    NO_TEXT = "no_text"

    @property
    def sentence(self) -> str:
        """One sentence that tells a user what this flag means."""
        return _SENTENCES[self]

    @property
    def repaired(self) -> str:
        """The flag of a segment that had this symptom until it was recognised again."""
        return f"{self}_repaired"


_SENTENCES = {
    Symptom.TOKEN_LIMIT: "The text was cut off: it reached the most tokens that a segment of its length may have.",
    Symptom.LOOP: "The text repeats itself as no speaker does.",
    Symptom.TOO_FAST: "More text than anybody can say in that time.",
    Symptom.TOO_SLOW: "Far less text than there is speech: passages may be missing.",
    Symptom.GAP: "A stretch of speech of 2.5 s or more holds no word: a passage may be missing.",
    Symptom.HOTWORD_ECHO: "The text is hardly more than hotwords, and little speaks for their having been said.",
    Symptom.NON_SPEECH: "Text where little speaks for speech: tones, or neither VAD nor model is sure.",
    Symptom.NO_TEXT: "Speech was found, and the model wrote no word.",
}


@dataclass(frozen=True)
class Evidence:
    """What is known of an utterance whatever the model made of it."""

    duration_s: Seconds
    speech: tuple[tuple[Seconds, Seconds], ...] | None = None  # raw intervals on the utterance's clock; None: no VAD
    speech_probability: float | None = None  # of the VAD, mean over the raw intervals; None: no VAD
    tonality: float = 0.0  # see `tonality`

    @property
    def speech_s(self) -> Seconds:
        """Raw speech; all of the utterance where no VAD has looked at it."""
        return self.duration_s if self.speech is None else sum(end_s - start_s for start_s, end_s in self.speech)

    @property
    def is_weak(self) -> bool:
        """Whether the VAD may have taken something else for speech."""
        return self.speech_probability is not None and self.speech_probability < WEAK_SPEECH

    @property
    def is_tonal(self) -> bool:
        """Whether all that sounds is one tone or two."""
        return self.tonality >= TONAL


def examine(hypothesis: Hypothesis, evidence: Evidence, options: RecognitionOptions) -> tuple[Symptom, ...]:
    """All that is wrong with a hypothesis, in the order of `Symptom`; nothing for a good one.

    Args:
        hypothesis: of one utterance.
        evidence: of the same.
        options: with which it was recognised.
    """
    letters = weighted_letters(hypothesis.text)
    if not letters:
        return (Symptom.NO_TEXT,)
    found = {
        Symptom.TOKEN_LIMIT: hypothesis.finish_reason == "length",
        Symptom.LOOP: is_loop(hypothesis.text, [token.text for token in hypothesis.tokens]),
        Symptom.TOO_FAST: letters > _FASTEST * max(evidence.duration_s, 0.5),
        Symptom.TOO_SLOW: is_too_slow(hypothesis.text, evidence.speech_s),
        Symptom.GAP: longest_gap_s(hypothesis, evidence) >= _LONGEST_GAP_S,
        Symptom.HOTWORD_ECHO: is_hotword_echo(hypothesis.text, options.hotwords, evidence),
        Symptom.NON_SPEECH: is_non_speech(hypothesis, evidence),
    }
    return tuple(symptom for symptom, is_there in found.items() if is_there)


def weighted_letters(text: str, digit_weight: float = 1.0) -> float:
    """Letters and digits, where a character that is a syllable counts as 2.5, so that one limit fits all languages."""
    letters = len(_LETTERS.findall(text)) + (_WIDE_WEIGHT - 1) * len(_WIDE.findall(text))
    return letters + (digit_weight - 1) * len(_DIGITS.findall(text)) if digit_weight != 1.0 else letters


def is_too_slow(text: str, speech_s: Seconds) -> bool:
    """Whether three seconds of speech or more hold under 3 letters (1.2 Chinese characters) a second.

    The slowest of 181 human prompts over two seconds has 6.3. A digit counts as 4: "$125,000" takes three seconds.
    """
    return speech_s >= _SLOWEST_FROM_S and weighted_letters(text, _DIGIT_WEIGHT) < _SLOWEST * speech_s


def longest_gap_s(hypothesis: Hypothesis, evidence: Evidence) -> Seconds:
    """The longest stretch of raw speech without a word in it; 0 where words have no times, or there was no VAD."""
    if not hypothesis.words or evidence.speech is None:
        return 0.0
    borders = [
        0.0,
        *(time_s for word in hypothesis.words for time_s in (word.start_s, word.end_s)),
        evidence.duration_s,
    ]
    pauses = list(zip(borders[::2], borders[1::2], strict=True))
    return max(_overlap_s(pause, evidence.speech) for pause in pauses)


def is_hotword_echo(text: str, hotwords: Sequence[str], evidence: Evidence) -> bool:
    """Whether a text is hardly more than its own hotwords, on weak speech or with too few letters for the speech.

    Several hotwords as they stand in the list are the list, wherever they come from.
    """
    spoken = _letters(text)
    expected = [letters for letters in map(_letters, hotwords) if letters]
    if not spoken or not expected:
        return False
    rest = spoken
    for hotword in sorted(set(expected), key=lambda word: (-len(word), word)):
        rest = rest.replace(hotword, "")
    if len(rest) > (1 - _ECHOED_SHARE) * len(spoken):
        return False
    is_list = len(expected) >= 3 and spoken in "".join(expected) and spoken not in expected
    return evidence.is_weak or evidence.is_tonal or is_list or is_too_slow(text, evidence.speech_s)


def is_non_speech(hypothesis: Hypothesis, evidence: Evidence) -> bool:
    """Whether little speaks for speech in what became text: nothing but tones, or neither VAD nor model is sure."""
    confidence = segment_confidence(hypothesis.tokens)  # None: a remote model that tells nothing
    return evidence.is_tonal or (evidence.is_weak and confidence is not None and confidence < UNSURE)


def tonality(samples: Samples) -> float:
    """Share of the power in the two strongest bands of 80 Hz, median over the loud frames; 0 for silence.

    Args:
        samples: (frames,) int16 at 16 kHz.
    """
    hop = _FFT_SAMPLES // 2
    if len(samples) < _FFT_SAMPLES:
        return 0.0
    frames = np.lib.stride_tricks.sliding_window_view(samples.astype(np.float32), _FFT_SAMPLES)[::hop]
    power = np.abs(np.fft.rfft(frames * np.hanning(_FFT_SAMPLES).astype(np.float32))) ** 2
    totals = power.sum(axis=1)
    if not totals.any():
        return 0.0
    loud = power[totals > 0.01 * totals.max()]
    kept = np.zeros(len(loud))
    for _ in range(2):
        bands = np.lib.stride_tricks.sliding_window_view(np.pad(loud, ((0, 0), (2, 2))), 5, axis=1).sum(axis=-1)
        peaks = bands.argmax(axis=1)
        kept += bands[np.arange(len(loud)), peaks]
        loud = np.where(np.abs(np.arange(loud.shape[1])[None] - peaks[:, None]) <= 2, 0.0, loud)
    return float(np.median(kept / totals[totals > 0.01 * totals.max()]))


def _overlap_s(stretch: tuple[Seconds, Seconds], intervals: Sequence[tuple[Seconds, Seconds]]) -> Seconds:
    overlaps = [min(stretch[1], end_s) - max(stretch[0], start_s) for start_s, end_s in intervals]
    return sum(overlap for overlap in overlaps if overlap > 0)


def _letters(text: str) -> str:
    return "".join(_LETTERS.findall(text.casefold()))
