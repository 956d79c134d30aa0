"""Call-centre sentences in English and Mandarin: many thousands of texts over a small, closed vocabulary.

Texts are verbatim, as a recogniser with ITN off should write them: English in lower case, words parted by one space, no
punctuation and no digits; Mandarin without spaces, numbers in characters.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from random import Random
from typing import Literal

from funasr_beam.model.demo_speech import english, mandarin

Language = Literal["en", "zh"]
Split = Literal["train", "heldout"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")
TEMPLATES: dict[Language, tuple[tuple[float, Callable[[Random], str]], ...]] = {
    "en": english.TEMPLATES,
    "zh": mandarin.TEMPLATES,
}
HELD_OUT_SHARE = 0.1


def sentence(random: Random, language: Language, split: Split = "train") -> str:
    """A sentence of the split: a text belongs to exactly one of them, whoever draws it."""
    templates = TEMPLATES[language]
    weights = [weight for weight, _ in templates]
    while True:
        template = random.choices(templates, weights)[0][1]
        text = template(random)
        if split_of(text) == split:
            return text


def split_of(text: str) -> Split:
    """Whether a text is kept out of training, decided by its hash alone."""
    digest = hashlib.sha256(text.encode()).digest()
    return "heldout" if digest[0] < HELD_OUT_SHARE * 256 else "train"


def words_of(text: str, language: Language) -> list[str]:
    """The units that get a time: English words, Mandarin characters."""
    return text.split() if language == "en" else list(text)
