"""References as people keep them: manifests, tables with turns and word times, STM files."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import fsspec

from funasr_beam.model.errors import UsageError
from funasr_beam.model.manifest import SUFFIXES, is_nan, numbered_rows
from funasr_beam.model.records import Seconds

_URI_KEYS = ("uri", "audio_filepath", "path", "recording_id")
_TEXT_KEYS = ("reference", "text", "transcript")
_STM_IGNORED = "ignore_time_segment_in_scoring"


@dataclass(frozen=True)
class TimedToken:
    """A word of a reference with its true times."""

    word: str
    start_s: Seconds
    end_s: Seconds


@dataclass(frozen=True)
class ReferenceTurn:
    """Some text that was really said in a recording, the whole of it or one turn."""

    id: str | None  # of the recording; its place where there is none
    uri: str | None
    text: str
    channel: int | None = None  # None: in any
    start_s: Seconds | None = None
    words: tuple[TimedToken, ...] = ()
    end_s: Seconds | None = None
    is_ignored: bool = False  # nobody knows what was said from start to end: what is recognised there does not count


def read_references(uri: str) -> Iterator[ReferenceTurn]:
    """The turns of a file of references.

    CSV, TSV, JSON Lines and Parquet: a row a recording, with `uri` (or `audio_filepath`, `path`) or `id`, and
    `reference` (or `text`). Instead of the text there may be `turns`: objects with `text`, `channel`, `start_s` and
    `words`, these with `word`, `start_s` and `end_s`. Rows with an `offset`, as in NeMo's manifests, are parts of a
    recording. A row without a text is none. STM: a line a turn.

    Raises:
        UsageError: the file cannot be read, or rows lack what they need; names them.
    """
    if uri.lower().endswith(".stm"):
        yield from _stm_turns(uri)
        return
    if not uri.lower().endswith(SUFFIXES):
        raise UsageError(
            f"the references {uri} cannot be read:", [f"known are files ending in .stm {' '.join(SUFFIXES)}"]
        )
    problems: list[str] = []
    whole: set[tuple[str | None, str | None]] = set()
    for number, values in numbered_rows(uri, problems):
        try:
            turns = list(_row_turns(values))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            problems.append(f"row {number}: {_explain(error)}")
            continue
        if turns and values.get("turns") is None and turns[0].start_s is None:
            # Two texts of one recording, neither with its place, would be taken for a reference of twice the length.
            key = (turns[0].id, turns[0].uri)
            if key in whole:
                problems.append(
                    f"row {number}: {key[0] or key[1]} is there twice; parts of a recording need an `offset`"
                )
            whole.add(key)
        yield from turns
    _raise(uri, problems)


def _row_turns(values: Mapping[str, Any]) -> Iterator[ReferenceTurn]:
    identity, uri, text = _first(values, ("id",)), _first(values, _URI_KEYS), _first(values, _TEXT_KEYS)
    if identity is None and uri is None:
        raise ValueError(f"has neither id nor uri; known columns: id, {', '.join((*_URI_KEYS, *_TEXT_KEYS))}, turns")
    turns = values.get("turns")
    if turns is None and not any(key in values for key in _TEXT_KEYS):
        raise ValueError(f"has no text; known columns: {', '.join(_TEXT_KEYS)}, turns")
    if turns is None:
        if text is not None:  # an empty cell is a text that nobody knows, as in a manifest, and not silence
            offset = _first(values, ("offset",))
            start_s = None if offset is None else float(offset)
            yield ReferenceTurn(identity, uri, text, start_s=start_s, words=_words(values.get("words")))
        return
    for turn in turns:
        words = _words(turn.get("words"))
        start_s = turn.get("start_s", words[0].start_s if words else None)
        channel = turn.get("channel")
        yield ReferenceTurn(
            identity,
            uri,
            str(turn["text"]),
            None if channel is None else int(channel),
            None if start_s is None else float(start_s),
            words,
        )


def _words(found: Sequence[Mapping[str, Any]] | None) -> tuple[TimedToken, ...]:
    return tuple(
        TimedToken(
            str(word["word"]),
            float(word["start_s"] if "start_s" in word else word["start"]),
            float(word["end_s"] if "end_s" in word else word["end"]),
        )
        for word in found or ()
    )


def _stm_turns(uri: str) -> Iterator[ReferenceTurn]:
    """Lines of `file channel speaker begin end [<label>] text`.

    Source: the STM format of NIST's sclite.
    """
    problems: list[str] = []
    try:
        with fsspec.open(uri, "rt", encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if not line.strip() or line.startswith(";;"):
                    continue
                turn = _stm_turn(line)
                if turn is None:
                    problems.append(f"line {number}: is not `file channel speaker begin end text`")
                else:
                    yield turn
    except (OSError, ValueError) as error:
        raise UsageError(f"the references {uri} cannot be read:", [str(error)]) from error
    _raise(uri, problems)


def _stm_turn(line: str) -> ReferenceTurn | None:
    fields = line.split(maxsplit=5)
    if len(fields) < 5:
        return None
    name, channel, _, begin, end, text = [*fields, ""][:6]
    if text.startswith("<"):
        text = text.partition(">")[2]
    text = text.strip()
    is_ignored = text.casefold() == _STM_IGNORED
    try:
        start_s, end_s = float(begin), float(end)
    except ValueError:
        return None
    said = "" if is_ignored else text
    return ReferenceTurn(name, None, said, _stm_channel(channel), start_s, end_s=end_s, is_ignored=is_ignored)


def _stm_channel(name: str) -> int | None:
    """Channels are 1 and 2, or A and B."""
    if name.isdigit():
        return max(int(name) - 1, 0)
    return ord(name) - ord("A") if name in ("A", "B") else None


def _first(values: Mapping[str, Any], keys: Sequence[str]) -> str | None:
    found = (str(value).strip() for key in keys if (value := values.get(key)) is not None and not is_nan(value))
    return next((text for text in found if text), None)


def _explain(error: Exception) -> str:
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)


def _raise(uri: str, problems: list[str]) -> None:
    if problems:
        raise UsageError.counting(f"in the references {uri}", problems)
