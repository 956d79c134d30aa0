"""English: which spoken numbers become digits, and what is better left in words."""

import re
from collections.abc import Iterator, Sequence

from funasr_beam.model.itn_rules import Candidate, Rewrite

_DIGITS = {
    "zero": "0", "oh": "0", "o": "0", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5",
    "six": "6", "seven": "7", "eight": "8", "nine": "9",
}  # fmt: skip
_TEENS = {
    "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16,
    "seventeen": 17, "eighteen": 18, "nineteen": 19,
}  # fmt: skip
_TENS = {
    "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
}  # fmt: skip
_SMALL_ORDINALS = {
    "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9,
}  # fmt: skip
_ORDINALS = _SMALL_ORDINALS | {
    "tenth": 10, "eleventh": 11, "twelfth": 12, "thirteenth": 13, "fourteenth": 14, "fifteenth": 15, "sixteenth": 16,
    "seventeenth": 17, "eighteenth": 18, "nineteenth": 19, "twentieth": 20, "thirtieth": 30, "fortieth": 40,
    "fiftieth": 50, "sixtieth": 60, "seventieth": 70, "eightieth": 80, "ninetieth": 90,
}  # fmt: skip
_DECADES = {f"{word[:-1]}ies": value for word, value in _TENS.items()}
_SCALES = ("hundred", "thousand", "million", "billion", "trillion", "hundredth", "thousandth", "millionth")
_REPEATS = {"double": 2, "triple": 3}
_VALUES = {word: int(digit) for word, digit in _DIGITS.items()} | _TEENS | _TENS | _ORDINALS | _DECADES
_NUMBER_WORDS = frozenset(_VALUES) - {"oh", "o"} | frozenset(_SCALES)
_WITHIN_NUMBERS = _NUMBER_WORDS | {"oh", "o", "point", *_REPEATS}

_MERIDIEM = {"am": "a.m.", "a.m": "a.m.", "pm": "p.m.", "p.m": "p.m."}
_MONTHS_AND_VERBS = ("may", "march")
_PIECES_OF_MONEY = ("dollar", "dollars", "pound", "pounds", "euro", "euros", "buck", "bucks")
_MIN_SPOKEN_DIGITS = 3
_YEARS = range(1300, 2100)  # "ten thirty" and "twelve forty five" are times, "fifty fifty" is no year

Range = tuple[int, int]


def is_number_word(word: str) -> bool:
    """Whether a word is a number, or always part of one."""
    return word in _NUMBER_WORDS


def english_rewrites(words: Sequence[str], found: Sequence[Candidate]) -> list[Rewrite]:
    """What is written in digits, in order.

    A stretch of number words is rewritten whole or not at all: "eight hundred five five five" stays. So do both ends of
    "two to three hundred" unless both can be rewritten.

    Args:
        words: one clause, lower case, no punctuation.
        found: what the grammar would rewrite.
    """
    runs = _number_runs(words)
    digits = [rewrite for run in runs for rewrite in _spoken_digits(words, run, found)]
    taken = {rewrite.first for rewrite in digits}
    whole = [item for item in found if _covers_its_runs(item, runs)]
    checked = [rewrite for item in whole for rewrite in _check(words, item, runs) if rewrite.first not in taken]
    rewrites = sorted([*digits, *checked], key=lambda rewrite: rewrite.first)
    return [rewrite for rewrite in rewrites if _both_ends(words, rewrite, runs, rewrites)]


def _number_runs(words: Sequence[str]) -> list[Range]:
    """Maximal stretches of number words, with "and", "oh" and "point" inside them."""
    runs: list[Range] = []
    for index, word in enumerate(words):
        after_and = index > 1 and words[index - 1] == "and" and words[index - 2] in _SCALES
        if word not in _WITHIN_NUMBERS:
            continue
        if runs and runs[-1][1] == index - after_and:
            runs[-1] = (runs[-1][0], index + 1)
        else:
            runs.append((index, index + 1))
    return [run for run in runs if not _NUMBER_WORDS.isdisjoint(words[slice(*run)])]


def _spoken_digits(words: Sequence[str], run: Range, found: Sequence[Candidate]) -> Iterator[Rewrite]:
    """A run of at least three spoken digits as they are said, without invented groups; "one two three" is counting."""
    digits = ""
    repeat = 1
    for word in words[slice(*run)]:
        if word in _REPEATS and repeat == 1:
            repeat = _REPEATS[word]
        elif word in _DIGITS:
            digits, repeat = digits + _DIGITS[word] * repeat, 1
        else:
            return
    others = [item for item in found if item.kind != "telephone" and item.first < run[1] and item.last > run[0]]
    is_time = bool(others) or _meridiem(words[run[1] :]) or words[run[1] : run[1] + 1] == ["o'clock"]
    is_counting = "123456789".startswith(digits)
    if repeat == 1 and len(digits) >= _MIN_SPOKEN_DIGITS and not is_time and not is_counting:
        yield Rewrite(*run, digits)


def _covers_its_runs(item: Candidate, runs: Sequence[Range]) -> bool:
    return all(
        item.first <= first and last <= item.last for first, last in runs if first < item.last and last > item.first
    )


def _check(words: Sequence[str], item: Candidate, runs: Sequence[Range]) -> Iterator[Rewrite]:
    """What may be written for one finding."""
    said = words[item.first : item.last]
    before = words[item.first - 1] if item.first else ""
    clock = _clock(said, before) if item.kind in ("time", "date", "telephone") else None
    if clock is not None:
        yield Rewrite(item.first, item.last, clock)
    elif _nonzero_digits(said) != re.sub(r"[^1-9]", "", item.text):
        return  # a digit was lost or invented
    elif item.kind == "measure":
        yield from _measure(words, item, runs)
    elif _is_safe(item, said, before):
        yield Rewrite(item.first, item.last, item.text)


def _is_safe(item: Candidate, said: Sequence[str], before: str) -> bool:
    """Whether what the grammar writes for a date, an amount or a plain number is what was meant."""
    if item.kind == "date":
        return _is_date(said, item.text)
    if item.kind == "ordinal":
        return len(said) > 1 or said[0] not in _SMALL_ORDINALS
    if item.kind in ("cardinal", "decimal"):
        return before not in (*_PIECES_OF_MONEY, "point")
    return item.kind == "money"


def _is_date(said: Sequence[str], text: str) -> bool:
    """A year of our times, a plain number, or a month with its day; "may five" may be a verb with its object."""
    if not set(_SCALES).isdisjoint(said):
        return True
    if year := re.fullmatch(r"(\d{4})s?", text):
        return int(year[1]) in _YEARS
    plain_day = len(said) == 2 and said[1] not in _ORDINALS
    return not (said[0] in _MONTHS_AND_VERBS and plain_day)


def _measure(words: Sequence[str], item: Candidate, runs: Sequence[Range]) -> Iterator[Rewrite]:
    """The number of a measure; its unit stays as it was said, but for percent. Numbers under ten stay with it."""
    own = [run for run in runs if item.first <= run[0] < item.last]
    number = re.match(r"-?\d+(\.\d+)?( [mb]illion| trillion)?", item.text)
    if len(own) != 1 or number is None:
        return
    if item.text.endswith("%"):
        yield Rewrite(item.first, item.last, f"{number[0]}%")
    elif own[0][1] - own[0][0] > 1 or words[own[0][0]] not in _DIGITS:
        yield Rewrite(item.first, own[0][1], number[0])


def _clock(said: Sequence[str], before: str) -> str | None:
    """A time of day such as "03:45 p.m."; None where nothing says that it is one."""
    suffix = _meridiem(said[-2:]) or _meridiem(said[-1:])
    body = [word for word in said if word not in ("a", "p", "m", "o'clock", "the", "minutes", *_MERIDIEM)]
    if not (suffix or before == "at" or "o'clock" in said or "past" in body or "to" in body):
        return None
    time = _relative_time(body) or _direct_time(body)
    if time is None:
        return None
    return f"{time[0]:02d}:{time[1]:02d} {suffix}".strip()


def _relative_time(body: Sequence[str]) -> tuple[int, int] | None:
    """Hour and minute of "half past nine" and "quarter to six"."""
    for link, sign in (("past", 1), ("to", -1)):
        if link in body:
            at = body.index(link)
            minutes = {"half": 30, "quarter": 15}.get(body[at - 1]) if at == 1 else None
            minutes = minutes or _below_sixty(body[:at])
            hour = _below_sixty(body[at + 1 :])
            if minutes and hour and hour <= 24:
                return (
                    divmod(hour * 60 + sign * minutes, 60) if hour * 60 + sign * minutes >= 60 else (12, 60 - minutes)
                )
    return None


def _direct_time(body: Sequence[str]) -> tuple[int, int] | None:
    """Hour and minute of "three forty five" and "seven"."""
    hour, minutes = _below_sixty(body[:1]), _below_sixty(body[1:]) if len(body) > 1 else 0
    return (hour, minutes) if hour is not None and minutes is not None and hour <= 24 else None


def _below_sixty(words: Sequence[str]) -> int | None:
    """The value of "forty five", "oh five" or "seven"."""
    values = [_VALUES.get(word, 99) for word in words]
    if len(values) == 1 and values[0] < 60:
        return values[0]
    if len(values) == 2 and words[0] in (*_TENS, "oh", "o", "zero") and values[1] < 10 and values[0] < 60:
        return values[0] + values[1]
    return None


def _meridiem(words: Sequence[str]) -> str:
    """The half of the day that the words begin with, "a m" or "pm"; empty if none."""
    if tuple(words[:2]) in (("a", "m"), ("p", "m")):
        return f"{words[0]}.m."
    return _MERIDIEM.get(words[0], "") if words else ""


def _nonzero_digits(said: Sequence[str]) -> str:
    """The digits that must show in whatever is written for these words; zeros come and go with the scale."""
    return "".join(str(_VALUES[word]).replace("0", "") for word in said if word in _VALUES)


def _both_ends(words: Sequence[str], rewrite: Rewrite, runs: Sequence[Range], rewrites: Sequence[Rewrite]) -> bool:
    """Whether the numbers that "to" or "or" ties to this one are rewritten, too."""
    tied = [
        (first, last)
        for first, last in runs
        if (last + 1 == rewrite.first and words[last] in ("to", "or"))
        or (first - 1 == rewrite.last and words[rewrite.last] in ("to", "or"))
    ]
    return all(any(other.first <= first and last <= other.last for other in rewrites) for first, last in tied)
