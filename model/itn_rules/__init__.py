"""What of a grammar's findings may be written: the checks for each language."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Candidate:
    """A stretch of words that the grammar would rewrite: words `first` up to, not including, `last`."""

    first: int
    last: int
    kind: str  # the grammar's name for it: cardinal, date, time, telephone, money, measure, ...
    text: str  # what the grammar would write


@dataclass(frozen=True)
class Rewrite:
    """A stretch of words and what is written for it."""

    first: int
    last: int
    text: str
