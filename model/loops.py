"""Whether a text goes round in circles: what language models do that have lost the sound."""

import unicodedata
from collections.abc import Sequence

_NGRAM = 8  # letters, Chinese characters or tokens that are looked up together
_COPIES = 4  # of something long; people say things three times
_SHORT_COPIES = 6  # of something shorter than an n-gram: "no no no no", "zero zero zero zero zero"
_MIN_LENGTH = 24  # that the copies fill together
_REPEATED_SHARE = 0.5
_MIN_REPEATED = 60


def is_loop(text: str, tokens: Sequence[str] = ()) -> bool:
    """Whether a text, or what the model wrote token by token, repeats itself as no speaker does.

    Two signs, either of which is enough: the same stretch at least four times in a row (six times where it is short),
    24 letters in all or more; or more than half of all runs of eight letters were there before. Letters count, whatever
    stands between them; so do Chinese characters, and then tokens, as a loop of control tokens leaves no text.
    Takes 0.1 ms for the text of half a minute.

    >>> is_loop("and then we went, and then we went. And then we went; and then we went")
    True
    >>> is_loop("no no no no, I said 八八八八八 three times")
    False
    """
    return _circles(_letters(text)) or _circles(tuple(tokens))


def _circles(items: str | tuple[str, ...]) -> bool:
    """Both signs in one pass: each n-gram is compared with the last place where it stood."""
    places: dict[str | tuple[str, ...], int] = {}
    period = run = repeated = 0
    total = len(items) - _NGRAM + 1
    for place in range(total):
        ngram = items[place : place + _NGRAM]
        distance = place - places.get(ngram, place)
        places[ngram] = place
        run = run + 1 if distance == period else 1
        period = distance
        repeated += distance > 0
        if period and period + run + _NGRAM - 1 >= _needed(period):
            return True
    return total >= _MIN_REPEATED and repeated > _REPEATED_SHARE * total


def _needed(period: int) -> int:
    """Length from which on a stretch of copies is a loop."""
    return max(_MIN_LENGTH, period * (_COPIES if period >= _NGRAM else _SHORT_COPIES))


def _letters(text: str) -> str:
    """Letters and digits alone: a loop may vary its punctuation."""
    folded = text.casefold()
    return folded if folded.isalnum() else "".join(char for char in folded if _is_letter(char))


def _is_letter(char: str) -> bool:
    return char.isalnum() or unicodedata.combining(char) > 0
