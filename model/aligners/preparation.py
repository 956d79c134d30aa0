"""Texts as CTC aligners need them: each word in letters of the model's alphabet, whatever was written."""

import functools
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import regex  # type: ignore[import-untyped]

from funasr_beam.model.aligners.spoken import speak_numbers
from funasr_beam.model.text import is_cjk, word_spans

if TYPE_CHECKING:
    from collections.abc import Collection

WILDCARD = "*"
"""Stands for speech that the alphabet cannot write: any letters at all."""

_HAN = regex.compile(r"\p{Han}")
_KANA = regex.compile(r"[\p{Hiragana}\p{Katakana}]")
_SAID = regex.compile(r"[\p{L}\p{N}\p{Sc}%‰°&@#+=]")
_PLAIN = {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ł": "l", "ı": "i", "þ": "th", "ð": "d", "ħ": "h"}
_PINYIN_OF_NUMERALS = {
    **{"零": "ling", "〇": "ling", "一": "yi", "二": "er", "三": "san", "四": "si", "五": "wu", "六": "liu"},
    **{"七": "qi", "八": "ba", "九": "jiu", "十": "shi", "百": "bai", "千": "qian", "万": "wan", "亿": "yi"},
    **{"两": "liang", "幺": "yao"},
}
_NUMERAL = f"([{''.join(_PINYIN_OF_NUMERALS)}])"
_ISO_639_3 = {
    **{"ar": "ara", "bg": "bul", "cs": "ces", "da": "dan", "de": "deu", "el": "ell", "en": "eng", "es": "spa"},
    **{"et": "est", "fa": "fas", "fi": "fin", "fil": "fil", "fr": "fra", "ga": "gle", "he": "heb", "hi": "hin"},
    **{"hr": "hrv", "hu": "hun", "id": "ind", "it": "ita", "ja": "jpn", "ko": "kor", "lt": "lit", "lv": "lav"},
    **{"ms": "msa", "mt": "mlt", "nl": "nld", "pl": "pol", "pt": "por", "ro": "ron", "ru": "rus", "sk": "slk"},
    **{"sl": "slv", "sr": "srp", "sv": "swe", "th": "tha", "tr": "tur", "uk": "ukr", "vi": "vie", "yue": "yue"},
    "zh": "zho",
}


@dataclass(frozen=True)
class Alphabet:
    """The letters that an aligner knows, and how texts come into them."""

    letters: "Collection[str]"
    is_romanised: bool = False  # 28 Latin letters for all languages, as MMS has them

    @functools.cached_property
    def has_han(self) -> bool:
        """Whether it knows Chinese characters, so that they need no reading."""
        return any(_HAN.match(letter) for letter in self.letters)


@dataclass(frozen=True)
class Target:
    """Neighbouring words that are aligned as one, and how they sound.

    Mostly one word. Where a reading belongs to several characters at once (今日 is kyō), all of them.
    """

    first: int
    last: int  # half-open: words `first` up to, not including, `last`
    letters: tuple[str, ...]  # of the alphabet, or WILDCARD
    is_spaced: bool = False  # whether a space stands before it, so that a separator may be heard

    @property
    def is_known(self) -> bool:
        """Whether a letter of it can be heard; a lone wildcard fits anything."""
        return any(letter != WILDCARD for letter in self.letters)


@dataclass(frozen=True)
class _Chunk:
    """A stretch of the spoken text and its reading."""

    start: int
    end: int
    reading: str


def prepare(text: str, language: str | None, alphabet: Alphabet) -> list[Target]:
    """How the words of a text sound, in letters; every word is in exactly one target, in order.

    Numbers are spoken, punctuation goes, kanji become kana where the alphabet has no Han characters, and everything
    becomes Latin letters where the alphabet is romanised. What still cannot be written is a wildcard.

    Args:
        text: as recognised.
        language: code; None: numbers and kanji of unknown reading become wildcards.
        alphabet: of the aligner.
    """
    words = [word.text for word in word_spans(text)]
    spoken, owners = _join([speak_numbers(word, language) for word in words], words)
    parts: list[list[str]] = [[] for _ in words]
    ends = list(range(1, len(words) + 1))  # where the target that begins with a word ends
    for chunk in _chunks(spoken, language, alphabet):
        own = sorted({owner for owner in owners[chunk.start : chunk.end] if owner is not None})
        if not own:
            continue
        parts[own[0]].extend(_letters(chunk.reading, alphabet))
        ends[own[0]] = max(ends[own[0]], own[-1] + 1)
    spaced = [place > 0 and not _touch(words, place) for place in range(len(words))]
    return list(_targets(parts, ends, spaced))


def _targets(parts: Sequence[Sequence[str]], ends: Sequence[int], spaced: Sequence[bool]) -> Iterator[Target]:
    """Put words together whose readings overlap."""
    first = 0
    while first < len(parts):
        last, letters = ends[first], list(parts[first])
        place = first + 1
        while place < last:
            letters.extend(parts[place])
            last = max(last, ends[place])
            place += 1
        yield Target(first, last, _one_wildcard(letters), spaced[first])
        first = last


def _one_wildcard(letters: Sequence[str]) -> tuple[str, ...]:
    """The letters with neighbouring wildcards as one, and at least one."""
    kept = [
        letter for place, letter in enumerate(letters) if letter != WILDCARD or letters[place - 1 : place] != [WILDCARD]
    ]
    return tuple(kept) or (WILDCARD,)


def _join(spoken: Sequence[str], words: Sequence[str]) -> tuple[str, list[int | None]]:
    """The spoken words as one text, and which word each of its characters belongs to; None: to no word."""
    text, owners = "", list[int | None]()
    for place, word in enumerate(spoken):
        if place and not _touch(words, place):
            text += " "
            owners.append(None)
        text += word
        owners.extend([place] * len(word))
    return text, owners


def _touch(words: Sequence[str], place: int) -> bool:
    """Whether no space stands before a word."""
    return is_cjk(words[place]) and is_cjk(words[place - 1])


def _chunks(spoken: str, language: str | None, alphabet: Alphabet) -> Iterator[_Chunk]:
    """The text in stretches with a reading each; most are single characters that read as they are written."""
    read = language == "ja" and not alphabet.has_han and _HAN.search(spoken) is not None
    chunks = list(_japanese_readings(spoken)) if read else None
    if not alphabet.is_romanised:
        yield from chunks or (_Chunk(place, place + 1, char) for place, char in enumerate(spoken))
    elif chunks is None:
        yield from _romanised(spoken, language)
    else:
        for chunk in chunks:
            yield _Chunk(chunk.start, chunk.end, "".join(part.reading for part in _romanised(chunk.reading, language)))


def _japanese_readings(text: str) -> Iterator[_Chunk]:
    """Kana for kanji, morpheme by morpheme; kana at both ends of a morpheme keep to their own characters."""
    place = 0
    for morpheme in _tagger()(text):
        place = text.index(morpheme.surface, place)
        yield from _spread(morpheme.surface, place, morpheme.feature.kana)
        place += len(morpheme.surface)


def _spread(surface: str, start: int, kana: str | None) -> Iterator[_Chunk]:
    """A morpheme's reading over its characters: kana stand for themselves, what is between them is one stretch."""
    if kana is None or not _HAN.search(surface):
        yield from (_Chunk(start + place, start + place + 1, char) for place, char in enumerate(surface))
        return
    head = _common(surface, kana)
    tail = _common(surface[head:][::-1], kana[head:][::-1])
    last = len(surface) - tail
    for place in range(head):
        yield _Chunk(start + place, start + place + 1, surface[place])
    yield _Chunk(start + head, start + last, kana[head : len(kana) - tail])
    for place in range(last, len(surface)):
        yield _Chunk(start + place, start + place + 1, surface[place])


def _common(surface: str, kana: str) -> int:
    """How many characters both begin with, hiragana counted as the katakana they are."""
    count = 0
    while count < min(len(surface), len(kana)) and _katakana(surface[count]) == kana[count]:
        count += 1
    return count


def _katakana(char: str) -> str:
    return chr(ord(char) + 0x60) if "ぁ" <= char <= "ゖ" else char


def _hiragana(char: str) -> str:
    return chr(ord(char) - 0x60) if "ァ" <= char <= "ヶ" else char


def _romanised(text: str, language: str | None) -> Iterator[_Chunk]:
    """The text in Latin letters, stretch by stretch, with its place."""
    from uroman import RomFormat

    code = _ISO_639_3.get(language or "")
    place = 0
    for run in regex.splititer(_NUMERAL, text):
        if run in _PINYIN_OF_NUMERALS:  # uroman would write digits, which nobody says
            yield _Chunk(place, place + 1, _PINYIN_OF_NUMERALS[run])
        elif run:
            for edge in _uroman().romanize_string(run, lcode=code, rom_format=RomFormat.EDGES):
                yield _Chunk(place + edge.start, place + edge.end, edge.txt)
        place += len(run)


def _letters(reading: str, alphabet: Alphabet) -> Iterator[str]:
    """The reading in letters of the alphabet; what is said but cannot be written is a wildcard."""
    for char in unicodedata.normalize("NFC", reading.replace("’", "'")):
        found = _spell(char, alphabet.letters)
        if found is not None:
            yield from found
        elif _SAID.match(char):
            yield WILDCARD


def _spell(char: str, letters: "Collection[str]") -> list[str] | None:
    """One character in known letters: as it is, in another case or script, in parts, or without its marks."""
    plain = unicodedata.normalize("NFKC", char)
    bare = [part for part in unicodedata.normalize("NFD", plain) if not unicodedata.category(part).startswith("M")]
    variants: list[list[str]] = [
        *([variant] for variant in (char, char.lower(), char.upper(), _hiragana(char), _katakana(char))),
        *(list(variant) for variant in (plain, plain.lower(), plain.upper(), _PLAIN.get(char.lower(), ""))),
        list(unicodedata.normalize("NFD", plain)),
        *([part.lower() for part in bare], [part.upper() for part in bare]),
    ]
    return next((variant for variant in variants if variant and all(part in letters for part in variant)), None)


@functools.cache
def _uroman() -> Any:
    from uroman import Uroman

    return Uroman()


@functools.cache
def _tagger() -> Any:
    from fugashi import Tagger

    return Tagger()
