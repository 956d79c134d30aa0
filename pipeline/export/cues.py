"""Segments cut into cues that can be read while they are heard."""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from funasr_beam.model.records import Seconds
from funasr_beam.pipeline.export.records import ExportSegment, ExportWord

MAX_COLUMNS = 84  # two lines of 42, as broadcasters do; a wide (CJK) character takes two
_LINE_COLUMNS = 42
_LONG_PAUSE_S = 1.0
_SENTENCE_ENDS = frozenset(".?!。？！…")


@dataclass(frozen=True)
class Cue:
    """Text that is shown for a while."""

    start_s: Seconds
    end_s: Seconds
    text: str  # one line


def cues_of(segment: ExportSegment, max_s: Seconds) -> list[Cue]:
    """A segment as cues of at most `max_s` and `MAX_COLUMNS`, cut between its words.

    A segment without word times, or whose words are not found in its text, is one cue: no time is invented. So it is
    with `max_s` 0.
    """
    places = _places(segment) if max_s > 0 else None
    if not places or not segment.words:
        return [Cue(segment.start_s, segment.end_s, segment.line)]
    groups = list(_groups(segment.text, segment.words, places, max_s))
    borders = [*(places[first] for first, _ in groups), len(segment.text)]
    borders[0] = 0
    return [
        Cue(segment.words[first].start_s, segment.words[last].end_s, " ".join(segment.text[begin:end].split()))
        for (first, last), begin, end in zip(groups, borders, borders[1:], strict=False)
    ]


def columns(text: str) -> int:
    """How wide a text is shown, in narrow characters."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def two_lines(text: str) -> str:
    """A cue's text on two lines of about the same width, if it is too wide for one."""
    width = columns(text)
    if width <= _LINE_COLUMNS:
        return text
    breaks = [place for place, character in enumerate(text) if character == " "] or range(1, len(text))
    middle = min(breaks, key=lambda place: abs(columns(text[:place]) - width / 2))
    return f"{text[:middle].rstrip()}\n{text[middle:].lstrip()}"


def _places(segment: ExportSegment) -> list[int] | None:
    """Where each word begins in the text; None if one is not there."""
    places, cursor = [], 0
    for word in segment.words or ():
        place = segment.text.find(word.text, cursor)
        if place < 0:
            return None
        places.append(place)
        cursor = place + len(word.text)
    return places


def _groups(text: str, words: tuple[ExportWord, ...], places: list[int], max_s: Seconds) -> Iterator[tuple[int, int]]:
    """First and last word of each cue."""
    ends = [*places[1:], len(text)]
    first = 0
    for last in range(1, len(words)):
        shown = text[places[first] : ends[last]].strip()
        too_much = columns(shown) > MAX_COLUMNS or words[last].end_s - words[first].start_s > max_s
        pause = words[last].start_s - words[last - 1].end_s > _LONG_PAUSE_S
        before = text[places[first] : places[last]].rstrip()
        sentence = bool(before) and before[-1] in _SENTENCE_ENDS and columns(before) > _LINE_COLUMNS
        if too_much or pause or sentence:
            yield first, last - 1
            first = last
    yield first, len(words) - 1
