"""Which language a text is in, for recordings of which nobody said it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import regex  # type: ignore[import-untyped]

from funasr_beam.model.once import once
from funasr_beam.model.records import Hypothesis

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

MIN_SCORE = 0.6
"""Under this a text says too little: of what reaches it after two words of a sentence, 98 % is right (31 languages)."""

_MAX_CHARS = 240  # more makes it slower and no better
_CODES = {"fil": "tl"}  # Filipino is Tagalog by another name
_NAMES = {other: code for code, other in _CODES.items()}
_NO_LETTERS = regex.compile(r"[^\p{L}\p{M}'’\-]+")

LanguageSource = Literal["told", "model", "detected", "undetermined"]
"""Who named a language: the user, the model, the detector; or nobody, because the text is too short to tell."""


@dataclass(frozen=True)
class SpokenLanguage:
    """A language, who named it, and how sure that is; nothing where there is no text either."""

    code: str | None = None
    source: LanguageSource | None = None
    score: float | None = None  # of the detector, 0 to 1, over the languages that were to choose from


class LanguageDetector:
    """Tells the languages of a checkpoint apart; the data load at the first text (0.7 s, 100 MB), once for a process.

    Of fasttext's small model, CLD2, ELD, lingua and py3langid, the last was right most often on short sentences in all
    31 languages, and the only one that knows both Maltese and Cantonese; see benchmarks/results/language_id.json.

    Args:
        languages: codes to choose from; codes that the data lack are left out. Empty: everything that they have.
    """

    def __init__(self, languages: Sequence[str]) -> None:
        self._languages = tuple(sorted({_CODES.get(code, code) for code in languages}))

    def detect(self, text: str) -> SpokenLanguage:
        """The most likely language of a text; case, digits and punctuation count for nothing.

        Too little text is "undetermined" and has no code; its score is that of the best guess.

        >>> LanguageDetector(["en", "da", "yue", "zh"]).detect("jeg vil gerne flytte min aftale").code
        'da'
        >>> LanguageDetector(["en", "da", "yue", "zh"]).detect("ok").code is None
        True
        """
        words = _NO_LETTERS.sub(" ", text[:_MAX_CHARS]).casefold().strip()
        if not words:
            return SpokenLanguage(None, "undetermined", 0.0)
        code, score = _identifier(self._languages).classify(words)
        if score < MIN_SCORE:
            return SpokenLanguage(None, "undetermined", float(score))
        return SpokenLanguage(_NAMES.get(code, code), "detected", float(score))

    def name(self, hypothesis: Hypothesis, told: str | None) -> SpokenLanguage:
        """The language of a hypothesis: as the user told it, else as the model named it, else as its text looks.

        Args:
            hypothesis: what was recognised.
            told: code, where the user named one.
        """
        if told:
            return SpokenLanguage(told, "told")
        if hypothesis.language:
            return SpokenLanguage(hypothesis.language, "model")
        return self.detect(hypothesis.text) if hypothesis.text else SpokenLanguage()


@once
def _identifier(languages: tuple[str, ...]) -> "LanguageIdentifier":
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    known = set(identifier.labels)
    identifier.set_languages([code for code in languages if code in known] or None)
    return identifier
