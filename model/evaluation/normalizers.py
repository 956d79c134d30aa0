"""Named and versioned normalisers: what of a text counts when it is compared with a reference.

A rate means little without the rules behind it, so their name and version (`english-1`) go into every result. Whisper's
basic normaliser drops combining marks, which are vowels in Hindi, Thai and Arabic; these rules keep them all.
"""

import unicodedata
from collections.abc import Callable

import regex  # type: ignore[import-untyped]

_ANNOTATION = regex.compile(r"<[^<>]*>|\[[^\[\]]*\]")
_JOINERS = regex.compile(r"[\u200c\u200d\u2060\ufeff\u00ad\u0640]")  # invisible ones, and the Arabic stretch
_APOSTROPHE = regex.compile(r"(?<=[\p{L}\p{M}])['’ʼ＇‘`](?=[\p{L}\p{M}])")
_THOUSANDS = regex.compile(r"(?<=\p{Nd})[,，](?=\p{Nd}{3}(?!\p{Nd}))")
_NO_PART = regex.compile(r"(?<=\p{Nd})[.](?=\p{Nd})(*SKIP)(*FAIL)|[^\p{L}\p{M}\p{N}\p{Sc}%'\s]")
_SPACE = regex.compile(r"\s+")

_FILLERS = regex.compile(r"\b(?:u+h+m*|u+m+|e+r+m*|h+m+|m+h+m+|m{2,})\b")
_CONTRACTIONS = tuple(
    (regex.compile(rf"(?<!')\b(?:{pattern})\b(?!')"), full)
    for pattern, full in (
        ("won't", "will not"),
        ("can't|cannot", "can not"),
        ("shan't", "shall not"),
        ("ain't", "is not"),
        ("let's", "let us"),
        ("gonna", "going to"),
        ("wanna", "want to"),
        ("gotta", "got to"),
    )
)
_ENDINGS = tuple(
    (regex.compile(rf"(?<=(?<!')\b\p{{L}}+){ending}\b"), full)
    for ending, full in (("n't", " not"), ("'re", " are"), ("'ll", " will"), ("'ve", " have"), ("'m", " am"))
)
_BETWEEN_CJK = regex.compile(r"(?<=[\p{Han}\p{Hiragana}\p{Katakana}ー])\s+(?=[\p{Han}\p{Hiragana}\p{Katakana}ー])")

Normalizer = Callable[[str], str]


def normalize_not(text: str) -> str:
    """The text as it is, but for white space.

    >>> normalize_not("  As it   is. ")
    'As it is.'
    """
    return _single_spaces(text)


def normalize_multilingual(text: str) -> str:
    """Letters, combining marks, digits and `%` or currency signs, in one case; all else becomes white space.

    Unicode's compatibility forms are made equal (NFKC). Apostrophes stay within words, decimal points within numbers;
    `<noise>` and `[laughter]` go. Numbers are not converted between words and digits.

    >>> normalize_multilingual("L’été, 1,000 ｋｍ [noise]: नमस्ते — สวัสดี!")
    "l'été 1000 km नमस्ते สวัสดี"
    """
    text = _ANNOTATION.sub(" ", unicodedata.normalize("NFKC", text)).casefold()
    text = unicodedata.normalize("NFKC", text)  # casefold may take marks apart
    text = _APOSTROPHE.sub("'", _JOINERS.sub("", text))
    text = _NO_PART.sub(" ", _THOUSANDS.sub("", text))
    return _without_loose_apostrophes(text)


def normalize_english(text: str) -> str:
    """As multilingual; hesitations go, contractions are written out, accents are dropped.

    >>> normalize_english("Um, I can't say we'll meet at Zoë's café.")
    "i can not say we will meet at zoe's cafe"
    """
    text = _FILLERS.sub(" ", _without_accents(normalize_multilingual(text)))
    for pattern, full in (*_CONTRACTIONS, *_ENDINGS):
        text = pattern.sub(full, text)
    return _single_spaces(text)


def normalize_chinese(text: str) -> str:
    """As multilingual; no space between Chinese or Japanese characters, and one sign for zero.

    Traditional and simplified characters stay apart, as do Chinese and Arabic digits.

    >>> normalize_chinese("二〇二五年， 我用 iPhone。")
    '二零二五年我用 iphone'
    """
    return str(_BETWEEN_CJK.sub("", normalize_multilingual(text).replace("〇", "零")))


NORMALIZERS: dict[str, Normalizer] = {
    "none-1": normalize_not,
    "multilingual-1": normalize_multilingual,
    "english-1": normalize_english,
    "chinese-1": normalize_chinese,
}
"""Every normaliser by its name and version. A changed rule is a new version."""

_BY_LANGUAGE = {"en": "english-1", "zh": "chinese-1", "yue": "chinese-1", "ja": "chinese-1"}


def normalizer_for(language: str | None) -> str:
    """Name of the normaliser that fits a language; `multilingual-1` where none is made for it."""
    return _BY_LANGUAGE.get(language or "", "multilingual-1")


def _single_spaces(text: str) -> str:
    return str(_SPACE.sub(" ", text)).strip()


def _without_loose_apostrophes(text: str) -> str:
    """Apostrophes that are quotation marks are no part of a word."""
    words = (word.strip("'") for word in text.split())
    return " ".join(word for word in words if word)


def _without_accents(text: str) -> str:
    """Latin letters without their accents; marks on other letters stay, they are spelling there."""
    return str(regex.sub(r"(?<=\p{Latin})\p{M}+", "", unicodedata.normalize("NFD", text)))
