"""Inverse text normalization by rules: spoken numbers become digits, and every word keeps its time and its source.

wetext's grammars find the spoken numbers; what they would write is accepted only where it can be checked, because they
also write "meetme@example.com", "03:15" for three forty-five and 10分感谢. In doubt the words stay as they were said:
they are never wrong.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version

import regex  # type: ignore[import-untyped]

from funasr_beam.model.errors import RunError
from funasr_beam.model.itn_rules import Candidate, Rewrite
from funasr_beam.model.itn_rules.chinese import chinese_rewrites, is_numeral
from funasr_beam.model.itn_rules.english import english_rewrites, is_number_word
from funasr_beam.model.itn_rules.grammar import Grammar
from funasr_beam.model.once import once
from funasr_beam.model.records import Seconds, Word
from funasr_beam.model.text import WordSpan, is_cjk, word_spans

LANGUAGES = ("en", "zh", "ja")

_PLAIN_WORD = regex.compile(r"[\p{L}\p{M}\p{Nd}〇'’.\-]+")
_KANA = regex.compile(r"[\p{Hiragana}\p{Katakana}]")
_HAN = regex.compile(r"\p{Han}")
_HANGUL = regex.compile(r"\p{Hangul}")
_BETWEEN_CJK = regex.compile(r"(?<=[\p{Han}\p{Hiragana}\p{Katakana}ー])\s+(?=[\p{Han}\p{Hiragana}\p{Katakana}ー])")


@dataclass(frozen=True)
class FinalWord:
    """A word of the final text, and the words it came from: `raw_start` up to, not including, `raw_end`."""

    text: str  # holds a space where a rewritten stretch cannot be told apart, as in "5 2025" or "03:45 p.m."
    start_s: Seconds
    end_s: Seconds
    confidence: float  # mean of its raw words
    raw_start: int
    raw_end: int


@dataclass(frozen=True)
class NormalizedText:
    """The final text; its words where the raw text had times; and whether anything was rewritten."""

    text: str
    words: tuple[FinalWord, ...] | None
    applied: bool


@cache
def itn_version() -> str:
    """Name and version of the package whose grammars are used, such as `wetext 0.1.8`."""
    try:
        return f"wetext {version('wetext')}"
    except PackageNotFoundError as error:
        raise RunError("wetext is not installed, and its wheel carries the ITN grammars: pip install wetext") from error


class InverseTextNormalizer:
    """Rules for English, Mandarin and Japanese; texts of other languages pass through.

    A language's grammars are loaded when they are first needed (0.1 to 0.6 s), once for the process, and any thread may
    use an instance. Text near numbers takes about 1 ms a sentence, other text next to nothing.

    Args:
        latin_default: language of texts in Latin script of which nothing is known; None leaves them alone, because
            "six" and "million" are French, too.
    """

    def __init__(self, latin_default: str | None = None) -> None:
        self._latin_default = latin_default

    def normalize(self, text: str, words: Sequence[Word] | None = None, language: str | None = None) -> NormalizedText:
        """The text with its spoken numbers in digits.

        Args:
            text: as recognised; what is not rewritten stays as it is, but for spaces between Chinese or Japanese
                characters, which go.
            words: its words with their times, in order, as `split_words` cuts them or several of these as one; None:
                there are no times. The text does not depend on them.
            language: code such as "zh-CN"; None: Han characters mean Chinese, with kana Japanese; for others see
                `latin_default`.

        Returns:
            Text and words. Together the words cover all raw ones, in order and without a gap.
        """
        code = self._language(text, language)
        if code in ("zh", "ja"):
            text = _BETWEEN_CJK.sub("", text)
            words = words and [replace(word, text=_BETWEEN_CJK.sub("", word.text)) for word in words]
        spans = word_spans(text)
        located = spans if words is None else _locate(text, words)
        rewrites = [] if code is None or located is None else list(_rewrites(text, spans, code))
        final_text = _apply(text, spans, rewrites)
        final_words = None if words is None else tuple(_time_words(text, spans, rewrites, words))
        return NormalizedText(final_text, final_words, bool(rewrites))

    def _language(self, text: str, language: str | None) -> str | None:
        """Which rules apply; None for none."""
        if language is not None:
            code = language.replace("_", "-").partition("-")[0].lower()
            return code if code in LANGUAGES else None
        if _HANGUL.search(text):
            return None
        if _KANA.search(text):
            return "ja"
        return "zh" if _HAN.search(text) else self._latin_default


@dataclass(frozen=True)
class _Token:
    """What the grammar reads as a word: a word, or a part of one with hyphens."""

    text: str  # lower case
    word: int
    starts_word: bool
    ends_word: bool


def _locate(text: str, words: Sequence[Word]) -> list[WordSpan] | None:
    """Where the words stand in their text; None if they are not the text's words."""
    spans: list[WordSpan] = []
    end = 0
    for word in words:
        start = text.find(word.text, end) if word.text else -1
        if start < 0:
            return None
        end = start + len(word.text)
        spans.append(WordSpan(word.text, start, end))
    return spans


def _rewrites(text: str, spans: Sequence[WordSpan], language: str) -> Iterator[Rewrite]:
    """What is to be rewritten, as ranges of words; the grammars see clauses in lower case without punctuation."""
    for first, last in _clauses(text, spans):
        tokens = list(_tokens(spans, first, last, split_hyphens=language == "en"))
        words = [token.text for token in tokens]
        for rewrite in _rewrite_clause(words, language):
            start, end = tokens[rewrite.first], tokens[rewrite.last - 1]
            if start.starts_word and end.ends_word:
                yield Rewrite(start.word, end.word + 1, rewrite.text)


def _rewrite_clause(words: Sequence[str], language: str) -> list[Rewrite]:
    """What is to be rewritten in one clause; the grammar, which is slow, sees only what is near a number."""
    is_number, reach = (is_number_word, 4) if language == "en" else (is_numeral, 6)
    windows = list(_windows([is_number(word) for word in words], reach))
    found = [
        replace(item, first=item.first + start, last=item.last + start)
        for start, end in windows
        for item in _find(words[start:end], language)
    ]
    if not windows:
        return []
    return english_rewrites(words, found) if language == "en" else chinese_rewrites(words, found, language)


def _windows(wanted: Sequence[bool], reach: int) -> Iterator[tuple[int, int]]:
    """Disjoint ranges that hold all wanted places and `reach` places around each."""
    start = end = -1
    for place in (place for place, is_wanted in enumerate(wanted) if is_wanted):
        if place - reach > end >= 0:
            yield start, end
            start = -1
        start = max(place - reach, 0) if start < 0 else start
        end = min(place + reach + 1, len(wanted))
    if end >= 0:
        yield start, end


def _clauses(text: str, spans: Sequence[WordSpan]) -> Iterator[tuple[int, int]]:
    """Ranges of words without punctuation between them, nor signs in them."""
    first = 0
    for index, span in enumerate(spans):
        plain = _PLAIN_WORD.fullmatch(span.text) is not None
        joined = index == 0 or not text[spans[index - 1].end : span.start].strip()
        if not (plain and joined) and first < index:
            yield first, index
            first = index
        if not plain:
            first = index + 1
    if first < len(spans):
        yield first, len(spans)


def _tokens(spans: Sequence[WordSpan], first: int, last: int, *, split_hyphens: bool) -> Iterator[_Token]:
    for word in range(first, last):
        text = spans[word].text.replace("’", "'").lower()
        parts = [part for part in text.split("-") if part] if split_hyphens else [text]
        for place, part in enumerate(parts):
            yield _Token(part, word, place == 0, place == len(parts) - 1)


def _find(words: Sequence[str], language: str) -> list[Candidate]:
    """What the grammar would rewrite, where it starts and ends with a word; nothing where it fails."""
    starts, ends, feed = [], [], ""
    for word in words:
        feed += " " if feed and not (is_cjk(word) or is_cjk(feed[-1])) else ""
        starts.append(len(feed))
        feed += word
        ends.append(len(feed))
    try:
        tags = _grammar(language).tag(feed)
    except (IndexError, ValueError):  # what is no tag, half a character
        return []
    return [
        Candidate(starts.index(tag.start), ends.index(tag.end) + 1, tag.kind, output)
        for tag in tags
        if tag.output != feed[tag.start : tag.end]
        and (output := tag.output.strip())
        and tag.start in starts
        and tag.end in ends
    ]


@once
def _grammar(language: str) -> Grammar:
    itn_version()  # a missing package is reported in words
    return Grammar(language)


def _apply(text: str, spans: Sequence[WordSpan], rewrites: Sequence[Rewrite]) -> str:
    """Put the rewritten stretches into the text, whose punctuation and other words stay."""
    parts = []
    end = 0
    for rewrite in rewrites:
        parts.append(text[end : spans[rewrite.first].start])
        end = spans[rewrite.last - 1].end
        doubled = rewrite.text.endswith(".") and text[end : end + 1] == "."
        parts.append(rewrite.text[:-1] if doubled else rewrite.text)
    return "".join([*parts, text[end:]])


def _time_words(
    text: str, spans: Sequence[WordSpan], rewrites: Sequence[Rewrite], words: Sequence[Word]
) -> Iterator[FinalWord]:
    """The words after rewriting, whether they were timed one by one or several as one."""
    located = _locate(text, words)
    if located is None or [(word.start, word.end) for word in located] == [(span.start, span.end) for span in spans]:
        yield from _final_words(words, rewrites)
    else:
        yield from _coarse_words(text, spans, rewrites, words, located)


def _coarse_words(
    text: str,
    spans: Sequence[WordSpan],
    rewrites: Sequence[Rewrite],
    words: Sequence[Word],
    located: Sequence[WordSpan],
) -> Iterator[FinalWord]:
    """Words that were timed several as one; those that a rewrite spans become one, with what it wrote."""
    bounds = [(spans[rewrite.first].start, spans[rewrite.last - 1].end) for rewrite in rewrites]
    first = 0
    for last in range(1, len(words) + 1):
        border = located[last - 1].end
        if last < len(words) and any(start < border < end for start, end in bounds):
            continue
        start, own = located[first].start, words[first:last]
        inside = [
            rewrite for rewrite, (begin, end) in zip(rewrites, bounds, strict=True) if start <= begin < end <= border
        ]
        piece = _apply(text[:border], [span for span in spans if span.end <= border], inside)[start:]
        confidence = sum(word.confidence for word in own) / len(own)
        yield FinalWord(piece, own[0].start_s, own[-1].end_s, confidence, first, last)
        first = last


def _final_words(words: Sequence[Word], rewrites: Sequence[Rewrite]) -> Iterator[FinalWord]:
    """The words after rewriting: each is a raw word, or covers all the raw words of its rewrite."""
    place = 0
    for rewrite in [*(_trim(words, rewrite) for rewrite in rewrites), Rewrite(len(words), len(words), "")]:
        for index in range(place, rewrite.first):
            word = words[index]
            yield FinalWord(word.text, word.start_s, word.end_s, word.confidence, index, index + 1)
        if rewrite.text:
            source = words[rewrite.first : rewrite.last]
            confidence = sum(word.confidence for word in source) / len(source)
            yield FinalWord(rewrite.text, source[0].start_s, source[-1].end_s, confidence, rewrite.first, rewrite.last)
        place = rewrite.last


def _trim(words: Sequence[Word], rewrite: Rewrite) -> Rewrite:
    """Leave out the words at both ends that stay as they are, so that they keep their own times."""
    output = rewrite.text.split(" ")
    while len(output) > 1 and rewrite.last - rewrite.first > 1 and output[0] == words[rewrite.first].text:
        output, rewrite = output[1:], replace(rewrite, first=rewrite.first + 1)
    while len(output) > 1 and rewrite.last - rewrite.first > 1 and output[-1] == words[rewrite.last - 1].text:
        output, rewrite = output[:-1], replace(rewrite, last=rewrite.last - 1)
    return replace(rewrite, text=" ".join(output))
