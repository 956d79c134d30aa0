"""Hotwords as people keep them: in a cell of a table, or one to a line of a file."""

import json
from typing import Any

import fsspec

from funasr_beam.model.errors import UsageError

MAX_HOTWORDS = 1_000
"""Of one recording; the words stand in the prompt of each of its segments, so a whole dictionary helps nobody."""


def parse_hotwords(value: Any) -> tuple[str, ...]:
    """A list as it is; in text, words are separated by `|`, `;` or commas, or it is a JSON list. Each word once.

    >>> parse_hotwords("Fun-ASR| Apache Beam |Fun-ASR")
    ('Fun-ASR', 'Apache Beam')

    Raises:
        ValueError: a broken JSON list, or more words than a prompt should hold.
    """
    if value is None:
        return ()
    if isinstance(value, str):
        if value.lstrip().startswith("["):
            return parse_hotwords(_json_list(value))
        value = value.replace("|", ",").replace(";", ",").split(",")
    return _distinct(str(part) for part in value)


def read_hotwords(uri: str) -> tuple[str, ...]:
    """The words of a text file in UTF-8, one to a line; empty lines and lines that start with `#` count as nothing.

    Raises:
        UsageError: the file cannot be read, or holds more words than a prompt should.
    """
    try:
        with fsspec.open(uri, "r", encoding="utf-8-sig") as file:
            return _distinct(line for line in file if not line.lstrip().startswith("#"))
    except (OSError, ValueError, ImportError) as error:
        raise UsageError(f"the hotwords file {uri} cannot be used:", [str(error)]) from error


def _distinct(words: Any) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(" ".join(word.split()) for word in words if word.strip()))
    if len(found) > MAX_HOTWORDS:
        raise ValueError(f"{len(found):,} hotwords; at most {MAX_HOTWORDS:,} for one recording")
    return found


def _json_list(text: str) -> list[Any]:
    try:
        words: list[Any] = json.loads(text)
    except ValueError as error:
        raise ValueError(f"hotwords = {text}: is no JSON list: {error}") from error
    return words
