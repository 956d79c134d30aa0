"""Chinese and Japanese: spoken numerals become digits in place; units, and what cannot be checked, stay as they are."""

import re
from collections.abc import Iterator, Sequence

from funasr_beam.model.itn_rules import Candidate, Rewrite

_DIGITS = dict(zip("零〇一二三四五六七八九幺两", "0012345678912", strict=True))
_VARIANTS = str.maketrans("萬億兩點", "万亿两点")
_NUMERALS = frozenset("零〇一二三四五六七八九十百千万亿幺两萬億兩")
_WHOLE = re.compile(r"(?:[零〇一二三四五六七八九十百万亿幺两]|千(?![克瓦卡]))+")
_NUMERAL = re.compile(rf"{_WHOLE.pattern}(?:点[零〇一二三四五六七八九幺]+)?")
_BELOW_TEN_THOUSAND = re.compile(
    r"(?:(?P<thousands>[一二两三四五六七八九]?)千)?零?(?:(?P<hundreds>[一二两三四五六七八九]?)百)?"
    r"零?(?:(?P<tens>[一二三四五六七八九]?)十)?(?P<ones>[一二两三四五六七八九]?)"
)
_GREAT_UNITS = (("亿", 10**8), ("万", 10**4))

_NOT_NUMBERS = ("十分", "十字")  # "very", "cross": rather than ten minutes and ten characters
_VAGUE = frozenset("几数幾")  # 十几个 is ten to nineteen
_KANJI_UNITS = "年月日時分秒円人回階番号歳個本枚台名"

Range = tuple[int, int]


def is_numeral(word: str) -> bool:
    """Whether a character is a digit or a place of a number."""
    return word in _NUMERALS


def chinese_rewrites(words: Sequence[str], found: Sequence[Candidate], language: str) -> list[Rewrite]:
    """What is written in digits, in order.

    The grammar says which numerals are numbers; they are then rewritten one by one: 三月五日 becomes 3月5日 and
    not 03/05, so that 月 and 日 keep their own times. What the grammar and the reading here do not agree on stays.

    Args:
        words: one clause, a word a character, Latin words whole.
        found: what the grammar would rewrite.
        language: "zh" or "ja".
    """
    plain = [word.translate(_VARIANTS) for word in words]
    return [
        rewrite
        for item in found
        if not _is_torn(plain, item) and not _is_doubtful(plain, item, language)
        for rewrite in _rewrite(plain, item)
    ]


def read_numeral(text: str) -> str | None:
    """The digits for a spoken numeral, or None if it is none: 二零二五 2025, 三百五 350, 五百万 500万, 三四百 None.

    Digits said one by one keep their zeros; whole ten thousands from a million on keep 万 and 亿.
    """
    whole, _, fraction = text.partition("点")
    if fraction:
        value = _value(whole)
        return None if value is None else f"{value}.{''.join(_DIGITS[digit] for digit in fraction)}"
    if len(text) > 1 and all(char in _DIGITS for char in text):
        return "".join(_DIGITS[char] for char in text)
    value = _value(text)
    if value is None:
        return None
    if value < 10**6 or value % 10**4:
        return str(value)
    billions, rest = divmod(value // 10**4, 10**4)
    return (f"{billions}亿" if billions else "") + (f"{rest}万" if rest else "")


def _value(text: str) -> int | None:
    """The value of a numeral with places, 三百五 meaning 350."""
    for unit, size in _GREAT_UNITS:
        head, found, tail = text.partition(unit)
        if found:
            return _with_great_unit(_value(head) if head else None, size, tail)
    match = _BELOW_TEN_THOUSAND.fullmatch(text)
    if not text or match is None:
        return None
    places = ((match["thousands"], 1000), (match["hundreds"], 100), (match["tens"], 10))
    named = [(int(_DIGITS[digit]) if digit else 1, size) for digit, size in places if digit is not None]
    ones = int(_DIGITS.get(match["ones"], "0"))
    last_size = (
        named[-1][1] if text[-2:-1] in ("百", "千") else 10
    )  # 一百二 is 120, but 一百零二 and 一百一十二 end in 2
    return sum(digit * size for digit, size in named) + ones * last_size // 10


def _with_great_unit(head: int | None, size: int, tail: str) -> int | None:
    """Head times 万 or 亿, and what follows; a single digit after it is the next place: 一万三 is 13000."""
    rest = _value(tail) if tail else 0
    if head is None or rest is None or rest >= size:
        return None
    colloquial = len(tail) == 1 and tail in _DIGITS
    return head * size + rest * (size // 10 if colloquial else 1)


def _is_torn(words: Sequence[str], item: Candidate) -> bool:
    """Whether a finding begins or ends within a numeral."""
    before, after = _neighbours(words, item)
    starts = words[item.first] in _NUMERALS and before in _NUMERALS
    ends = (words[item.last - 1] in _NUMERALS or words[item.last - 1] in "块毛角") and after in _NUMERALS
    return starts or ends


def _is_doubtful(words: Sequence[str], item: Candidate, language: str) -> bool:
    """Whether a finding is probably no number, or none of this value."""
    said = "".join(words[item.first : item.last])
    before, after = _neighbours(words, item)
    if said in _NOT_NUMBERS or item.kind == "math" or "刻" in said + after or {before, after} & _VAGUE:
        return True
    bare = item.kind in ("cardinal", "ordinal")
    if bare and len(said.strip("第")) == 1 and after not in ("点", "時"):  # 十足, 百姓, 千葉, but 十点
        return True
    return language == "ja" and item.kind == "cardinal" and _is_doubtful_in_japanese(said, after)


def _is_doubtful_in_japanese(said: str, after: str) -> bool:
    """Whether it is a range such as 四五 (wetext: 45) or part of a name such as 八百屋."""
    is_range = len(said) == 2 and all(char in _DIGITS and char not in "零〇" for char in said)
    in_name = bool(re.match(r"[\u4e00-\u9fff]", after)) and after not in _KANJI_UNITS
    return is_range or in_name


def _neighbours(words: Sequence[str], item: Candidate) -> tuple[str, str]:
    before = words[item.first - 1] if item.first else ""
    after = words[item.last] if item.last < len(words) else ""
    return before, after


def _rewrite(words: Sequence[str], item: Candidate) -> Iterator[Rewrite]:
    """The numerals of a finding in digits; percentages and fractions as a whole."""
    said = "".join(words[item.first : item.last])
    if len(said) != item.last - item.first:  # Latin words in it
        return
    pattern = _WHOLE if item.kind in ("date", "time") else _NUMERAL  # 五点二十 is a time, not 5.20
    numerals = list(pattern.finditer(said.replace("百分之", "\0" * 3)))
    digits = [read_numeral(match[0]) for match in numerals]
    written = re.sub(r"\s", "", item.text)
    if not numerals or None in digits:
        return
    if ("分" in said and re.fullmatch(r"-?[\d.]+%|\d+/\d+", written)) or re.fullmatch(r"[\d.]+%", written):
        if sorted(re.findall(r"[\d.]+", written)) == sorted(filter(None, digits)):
            yield Rewrite(item.first, item.last, written)
    elif item.kind in ("date", "time") or _numbers(written) == [_expand(text) for text in digits if text]:
        for match, text in zip(numerals, digits, strict=True):
            yield Rewrite(item.first + match.start(), item.first + match.end(), text or match[0])


def _numbers(written: str) -> list[str]:
    """The numbers in what the grammar wrote, with 万 and 亿 multiplied out."""
    return [_expand(number) for number in re.findall(r"\d[\d.]*(?:[亿万]\d*)*", written)]


def _expand(number: str) -> str:
    """One number without 万 and 亿: 1亿2000万 as 120000000; others as they are."""
    if not re.search("[亿万]", number):
        return number
    parts = re.findall(r"(\d+)([亿万]?)", number)
    return str(sum(int(digits) * {"亿": 10**8, "万": 10**4, "": 1}[unit] for digits, unit in parts))
