"""One transcript against its reference: which text is compared, under which normaliser, with how many errors."""

from dataclasses import dataclass

import regex  # type: ignore[import-untyped]

from funasr_beam.model.evaluation.errors import TextErrors, text_errors
from funasr_beam.model.evaluation.normalizers import NORMALIZERS, normalizer_for

_DIGIT = regex.compile(r"\p{Nd}")
_CJK = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}]")


@dataclass(frozen=True)
class Transcribed:
    """Both forms of a transcript; empty where there is none."""

    final: str  # after inverse text normalization: "$25"
    raw: str  # as the model said it: "twenty five dollars"

    def in_form(self, form: str) -> str:
        """The text in one form."""
        return self.raw if form == "raw" else self.final


@dataclass(frozen=True)
class TextScore:
    """The errors of one text, and the rules under which they are errors."""

    normalizer: str
    form: str  # "final" or "raw"
    errors: TextErrors


def score_text(reference: str, transcribed: Transcribed, normalizer: str, form: str) -> TextScore:
    """Compare a transcript with its reference.

    Args:
        reference: the true text, as it is.
        transcribed: what was written; failed and empty transcripts are empty texts, so all deletions.
        normalizer: name and version of one.
        form: "final" or "raw".
    """
    rule = NORMALIZERS[normalizer]
    return TextScore(normalizer, form, text_errors(rule(reference), rule(transcribed.in_form(form))))


def choose_rules(reference: str, language: str | None, normalizer: str = "", form: str = "") -> tuple[str, str]:
    """The normaliser and the form of the text that fit a reference, where they are not given.

    A reference without digits is verbatim, so it is compared with what the model said, before numbers became digits.

    >>> choose_rules("that is $25", "en"), choose_rules("that is twenty five dollars", "en")
    (('english-1', 'final'), ('english-1', 'raw'))
    """
    guessed = language or ("zh" if _CJK.search(reference) else None)
    return normalizer or normalizer_for(guessed), form or ("final" if _DIGIT.search(reference) else "raw")
