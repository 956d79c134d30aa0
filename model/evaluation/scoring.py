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


@dataclass(frozen=True)
class TextScore:
    """The errors of one text, and the rules under which they are errors."""

    normalizer: str
    form: str  # "final" or "raw"
    errors: TextErrors


def score_text(
    reference: str, transcribed: Transcribed, language: str | None = None, normalizer: str | None = None, form: str = ""
) -> TextScore:
    """Compare a transcript with its reference.

    Args:
        reference: the true text, as it is.
        transcribed: what was written; failed and empty transcripts are empty texts, so all deletions.
        language: chooses the normaliser; None: Chinese characters in the reference do.
        normalizer: the name of one, whatever the language.
        form: "final" or "raw"; "": the one that fits the reference, see `fitting_form`.
    """
    name = normalizer or normalizer_for(language or _guess_language(reference))
    chosen = form or fitting_form(reference)
    hypothesis = transcribed.raw if chosen == "raw" else transcribed.final
    rule = NORMALIZERS[name]
    return TextScore(name, chosen, text_errors(rule(reference), rule(hypothesis)))


def fitting_form(reference: str) -> str:
    """Which form of a transcript a reference is written in: one without digits is verbatim, so "raw".

    >>> fitting_form("that is $25"), fitting_form("that is twenty five dollars")
    ('final', 'raw')
    """
    return "final" if _DIGIT.search(reference) else "raw"


def _guess_language(reference: str) -> str | None:
    return "zh" if _CJK.search(reference) else None
