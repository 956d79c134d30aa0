"""What a grammar of wetext would rewrite in a text, and exactly where: its own mapping, a hundred times as fast.

wetext tags a text (`money { value: "twenty five" currency: "dollars" }`), brings the members of each tag into an order,
and verbalizes that. Both transducers work on bytes, so the paths tell which input became a tag and what the tag became.
"""

import itertools
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import distribution

from funasr_beam.model.errors import RunError
from funasr_beam.model.itn_rules.tags import Span, ordered_tags, parse_tags
from funasr_beam.model.itn_rules.transducer import BestPath, Piece, Transducer

_BLANK = ord(" ")
_NEVER = (sys.maxsize, sys.maxsize)  # the tag behind the last


@dataclass(frozen=True)
class Tagged:
    """A stretch of the text under one tag."""

    kind: str  # the tag: "cardinal", "money", ...
    start: int  # in the text, characters
    end: int
    output: str  # what would be written for it


class Grammar:
    """The grammars of one language; any thread may use it.

    Source: wetext 0.1.8, `normalize_with_mapping`.
    """

    def __init__(self, language: str) -> None:
        self._tagger = _read(language, "tagger")
        self._verbalizer = _read(language, "verbalizer")

    def tag(self, text: str) -> list[Tagged]:
        """All tags of a text, in order, with those that change nothing; none where the grammar cannot read it.

        Args:
            text: lower case, without blanks at its ends.
        """
        tagged = self._tagger.best_path(text.encode())
        if tagged is None:
            return []
        tags = parse_tags(tagged.output.decode())
        ordered, places = ordered_tags(tags)
        written = self._verbalizer.best_path(ordered.encode())
        if written is None:
            return []
        sources = _sources(text, tagged, [(tag.start, tag.end) for tag in tags])
        outputs = _outputs(ordered, written, places)
        return [
            Tagged(tag.name, *source, output)
            for tag, source, output in zip(tags, sources, outputs, strict=True)
            if source is not None
        ]


def _read(language: str, half: str) -> Transducer:
    from kaldifst import StdVectorFst

    # Through the package itself it would load all of its grammars.
    path = distribution("wetext").locate_file(f"wetext/fsts/{language}/itn/{half}.fst")
    fst = StdVectorFst.read(str(path))
    if fst is None:
        raise RunError(f"wetext has no grammar in {path}: pip install 'wetext==0.1.8'")
    return Transducer(fst)


def _sources(text: str, path: BestPath, tags: Sequence[Span]) -> list[Span | None]:
    """Which characters of the text became each tag; None for a tag out of nothing."""
    source, borders = text.encode(), [*_in_bytes(path.output.decode(), tags), _NEVER]
    bounds: list[Span | None] = [None] * len(borders)
    place = written = 0
    for offset, piece in enumerate(path.pieces):
        written += len(piece.before)
        while written >= borders[place][1]:
            place += 1
        start, _ = borders[place]
        is_blank = source[offset] == _BLANK
        if written > start:
            is_own = bool(piece.output) or not is_blank or bounds[place] is not None
        else:  # the first letter may be written at the tag's border
            is_own = bool(piece.output) and (written == start or (written + 1 == start and not is_blank))
        if is_own:
            bounds[place] = _grown(bounds[place], offset, offset + 1)
        written += len(piece.output)
    return [_in_characters(source, own) if own else None for own in bounds[:-1]]


def _outputs(ordered: str, path: BestPath, tags: Sequence[Span]) -> list[str]:
    """What was written for each tag."""
    output = path.output
    bounds: list[Span | None] = [None] * (len(tags) + 1)
    for place, owner in enumerate(_owners(path, [*_in_bytes(ordered, tags), _NEVER])):
        if owner is not None:
            bounds[owner] = _grown(bounds[owner], place, place + 1)
    return [_whole_characters(output, own) if own else "" for own in bounds[:-1]]


def _owners(path: BestPath, tags: Sequence[Span]) -> Iterator[int | None]:
    """For each byte of the output the place of the tag that it was written for; None for blanks between tags."""
    place = 0
    for offset, piece in enumerate([*path.pieces, Piece(path.rest, b"")]):
        while offset >= tags[place][1]:
            place += 1
        start, _ = tags[place]
        for byte in piece.before:
            if offset > start or (place == 0 and offset == start):
                yield place
            else:  # between two tags: a sign behind the first of them, unless it parts them
                yield place - 1 if place and byte != _BLANK else None
        for _ in piece.output:
            yield place if offset >= start else None


def _grown(bounds: Span | None, first: int, last: int) -> Span:
    return (first if bounds is None else bounds[0], last)


def _in_bytes(text: str, spans: Sequence[Span]) -> list[Span]:
    """Spans of characters as spans of their bytes."""
    if text.isascii():
        return list(spans)
    borders = list(itertools.accumulate((len(character.encode()) for character in text), initial=0))
    return [(borders[start], borders[end]) for start, end in spans]


def _in_characters(text: bytes, span: Span) -> Span:
    """A span of whole characters' bytes as a span of characters.

    Raises:
        ValueError: it cuts a character.
    """
    start = len(text[: span[0]].decode())
    return start, start + len(text[slice(*span)].decode())


def _whole_characters(text: bytes, span: Span) -> str:
    """The characters in which a span of bytes lies."""
    start, end = span
    while _is_inside_character(text[start : start + 1]):
        start -= 1
    while _is_inside_character(text[end : end + 1]):
        end += 1
    return text[start:end].decode()


def _is_inside_character(byte: bytes) -> bool:
    return b"\x80" <= byte < b"\xc0"
