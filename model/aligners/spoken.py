"""Written numbers as they are said, for aligners that know letters only."""

import functools
import re
from decimal import Decimal
from typing import Any

_CODES = {
    **{code: code for code in ("am", "ar", "az", "be", "bn", "ca", "cs", "cy", "da", "de", "en", "es", "fa", "fi")},
    **{code: code for code in ("fr", "he", "hu", "id", "is", "it", "ja", "kn", "ko", "lt", "lv", "nl", "no", "pl")},
    **{code: code for code in ("pt", "ro", "ru", "sk", "sl", "sr", "sv", "te", "tg", "th", "tr", "uk", "vi")},
    **{"kk": "kz", "nn": "no"},
}
"""Our codes -> those of num2words, for the languages that it speaks."""

_POINT_IS_DECIMAL = frozenset({"en", "zh", "yue", "ja", "ko", "th", "he", "ms", "mt", "ga", "hi", "fil"})
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_YEAR = re.compile(r"1[1-9]\d\d|20\d\d")
_THOUSANDS = re.compile(r"\d{1,3}(?:([.,])\d{3})(?:\1\d{3})*")
_LONGEST_CARDINAL = 6
"""Longer strings of digits are read one by one, as telephone and card numbers are."""

_HAN_DIGITS = str.maketrans("0123456789", "零一二三四五六七八九")


def speak_numbers(word: str, language: str | None) -> str:
    """The word with its numbers in letters, separated by spaces; digits stay where nobody knows how they are said.

    >>> speak_numbers("25", "de"), speak_numbers("3.5kg", "en"), speak_numbers("12:30", "en")
    ('fünfundzwanzig', 'three point five kg', 'twelve thirty')
    """
    if not any(char.isdigit() for char in word):
        return word
    ascii_digits = "".join(str(int(char)) if char.isdecimal() else char for char in word)
    spoken = _NUMBER.sub(lambda match: f" {_speak(match.group(), language)} ", ascii_digits)
    return " ".join(spoken.split())


@functools.lru_cache(maxsize=10_000)
def _speak(number: str, language: str | None) -> str:
    """One number in letters, or as it is."""
    if language in ("zh", "yue"):
        return _speak_chinese(number)
    code = _CODES.get(language or "")
    if code is None:
        return number
    kind = "year" if code == "en" and _YEAR.fullmatch(number) else "cardinal"
    return " ".join(_speak_one(part, code, kind) for part in _parts(number, language))


def _parts(number: str, language: str | None) -> list[str]:
    """What is read as one: a number without thousands separators, with a decimal point if it has one."""
    point = "." if language in _POINT_IS_DECIMAL else ","
    thousands = _THOUSANDS.fullmatch(number)
    if thousands and thousands[1] != point:
        return [re.sub("[.,]", "", number)]
    whole, *fraction = number.split(point)
    if len(fraction) == 1 and whole.isdecimal():
        return [f"{whole}.{fraction[0]}"]
    plain = [part for part in re.split("[.,:]", number) if part]
    return [digit for part in plain for digit in (part if _is_read_by_digit(part) else [part])]


def _is_read_by_digit(part: str) -> bool:
    return len(part) > _LONGEST_CARDINAL or (len(part) > 1 and part.startswith("0"))


def _speak_one(part: str, code: str, kind: str) -> str:
    """A number in letters; digits stay where num2words fails on them."""
    from num2words import num2words

    try:
        spoken = num2words(Decimal(part), lang=code, to=kind)
    except (NotImplementedError, ValueError, TypeError, ArithmeticError, LookupError):
        return part
    return str(spoken).replace("-", " ").replace(",", " ")


def _speak_chinese(number: str) -> str:
    """A number in Han characters, by the grammars of the ITN rules; digit by digit where they leave digits."""
    spoken = str(_chinese_grammar().normalize(number))
    return spoken.translate(_HAN_DIGITS) if any(char.isdigit() for char in spoken) else spoken


@functools.cache
def _chinese_grammar() -> Any:
    from wetext import Normalizer

    return Normalizer(lang="zh", operator="tn")
