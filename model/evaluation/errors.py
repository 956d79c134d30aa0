"""Error counts between a reference and a hypothesis: words, characters, and both mixed as each script needs it."""

from collections.abc import Sequence
from dataclasses import dataclass

import regex  # type: ignore[import-untyped]
from rapidfuzz.distance import Levenshtein

UNITS = ("words", "characters", "mixed")
"""What errors are counted in; `mixed`: Chinese and Japanese characters, words of all other scripts."""

_MIXED = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}ー]\p{M}*|[^\s\p{Han}\p{Hiragana}\p{Katakana}ー]+")


@dataclass(frozen=True)
class ErrorCounts:
    """What an alignment of the fewest errors consists of; adds up over recordings."""

    hits: int = 0
    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0

    @property
    def length(self) -> int:
        """Tokens of the reference."""
        return self.hits + self.substitutions + self.deletions

    @property
    def errors(self) -> int:
        """Substitutions, deletions and insertions."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def rate(self) -> float | None:
        """Errors over the reference's length; None where the reference is empty."""
        return self.errors / self.length if self.length else None

    def __add__(self, other: "ErrorCounts") -> "ErrorCounts":
        return ErrorCounts(
            self.hits + other.hits,
            self.substitutions + other.substitutions,
            self.deletions + other.deletions,
            self.insertions + other.insertions,
        )


@dataclass(frozen=True)
class TextErrors:
    """The errors of one text in every unit."""

    words: ErrorCounts = ErrorCounts()
    characters: ErrorCounts = ErrorCounts()
    mixed: ErrorCounts = ErrorCounts()

    def __add__(self, other: "TextErrors") -> "TextErrors":
        return TextErrors(self.words + other.words, self.characters + other.characters, self.mixed + other.mixed)


@dataclass(frozen=True)
class Difference:
    """Tokens of the reference beside those of the hypothesis that stand in their place."""

    operation: str  # "equal", "replace", "delete" or "insert"
    reference: tuple[str, ...]
    hypothesis: tuple[str, ...]


def word_tokens(text: str) -> list[str]:
    """What stands between white space."""
    return text.split()


def character_tokens(text: str) -> list[str]:
    """Every code point but white space."""
    return list("".join(text.split()))


def mixed_tokens(text: str) -> list[str]:
    """Chinese and Japanese characters one by one, other scripts by words.

    >>> mixed_tokens("我用 iPhone手机 ok")
    ['我', '用', 'iPhone', '手', '机', 'ok']
    """
    return [match.group() for match in _MIXED.finditer(text)]


def text_errors(reference: str, hypothesis: str) -> TextErrors:
    """The errors of a hypothesis; both texts already normalised, None of the reference being an empty text."""
    return TextErrors(
        count_errors(word_tokens(reference), word_tokens(hypothesis)),
        count_errors(character_tokens(reference), character_tokens(hypothesis)),
        count_errors(mixed_tokens(reference), mixed_tokens(hypothesis)),
    )


def count_errors(reference: Sequence[str], hypothesis: Sequence[str]) -> ErrorCounts:
    """The counts of one alignment with the fewest errors.

    Memory grows with the lengths, not with their product: rapidfuzz divides long texts (Hirschberg).
    """
    kinds = [operation.tag for operation in Levenshtein.editops(*_as_numbers(reference, hypothesis))]
    substitutions, deletions, insertions = (kinds.count(kind) for kind in ("replace", "delete", "insert"))
    return ErrorCounts(len(reference) - substitutions - deletions, substitutions, deletions, insertions)


def differences(reference: Sequence[str], hypothesis: Sequence[str]) -> list[Difference]:
    """The alignment that `count_errors` counts, as stretches in order."""
    return [
        Difference(
            block.tag,
            tuple(reference[block.src_start : block.src_end]),
            tuple(hypothesis[block.dest_start : block.dest_end]),
        )
        for block in Levenshtein.opcodes(*_as_numbers(reference, hypothesis))
    ]


def _as_numbers(reference: Sequence[str], hypothesis: Sequence[str]) -> tuple[list[int], list[int]]:
    """Tokens by number: rapidfuzz compares hashes, and those of numbers cannot collide."""
    numbers: dict[str, int] = {}
    left, right = ([numbers.setdefault(token, len(numbers)) for token in side] for side in (reference, hypothesis))
    return left, right


def agreement(left: str, right: str) -> float:
    """How alike two texts are, 0 to 1: the share of the longer one that an alignment leaves as it is; both normalised.

    >>> agreement("one two three four", "one two free four")
    0.75
    """
    return float(Levenshtein.normalized_similarity(*_as_numbers(mixed_tokens(left), mixed_tokens(right))))
