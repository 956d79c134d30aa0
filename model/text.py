"""What a word is: whitespace words in alphabetic scripts, single characters in Chinese and Japanese."""

from collections.abc import Iterable
from dataclasses import dataclass

import regex  # type: ignore[import-untyped]

_CJK = r"[\p{Han}\p{Hiragana}\p{Katakana}ー]"
_IDEOGRAPH = rf"{_CJK}\p{{M}}*"
_LETTER = rf"(?:(?!{_CJK})[\p{{L}}\p{{M}}\p{{N}}\p{{Sc}}%‰°&@#+=\u200c\u200d])"
# Within a word: apostrophes, hyphens, dots and the like between letters; commas and colons between digits only.
_JOINER = rf"(?:['’\-.&@_/](?={_LETTER})|(?<=\p{{N}})[,:](?=\p{{N}}))"
_WORD = regex.compile(rf"{_IDEOGRAPH}|{_LETTER}(?:{_JOINER}?{_LETTER})*")
_STARTS_CJK = regex.compile(_CJK)


@dataclass(frozen=True)
class WordSpan:
    """A word and where it stands in its text: `text[start:end]`."""

    text: str
    start: int
    end: int


def word_spans(text: str) -> list[WordSpan]:
    """The words of a text in order; what lies between them is white space and punctuation, which is no word.

    >>> [word.text for word in word_spans("iPhone手机, it's 3.5%!")]
    ['iPhone', '手', '机', "it's", '3.5%']
    """
    return [WordSpan(match.group(), match.start(), match.end()) for match in _WORD.finditer(text)]


def is_cjk(word: str) -> bool:
    """Whether a word starts with a Chinese or Japanese character, so that no space stands around it."""
    return _STARTS_CJK.match(word) is not None


def join_texts(texts: Iterable[str]) -> str:
    """Texts that follow each other as one text; no space between Chinese or Japanese characters.

    >>> join_texts(["你好", "世界", "hello", "world"])
    '你好世界 hello world'
    """
    joined = ""
    for text in texts:
        glued = not joined or (is_cjk(joined[-1]) and is_cjk(text))
        joined += text if glued else f" {text}"
    return joined
