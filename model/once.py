"""What takes long to load, loaded once."""

import threading
from collections.abc import Callable
from functools import cache, wraps
from typing import ParamSpec, TypeVar

from funasr_beam.model.turns import waiting

_P = ParamSpec("_P")
_T = TypeVar("_T")


def once(load: Callable[_P, _T]) -> Callable[_P, _T]:
    """`functools.cache` for threads that begin together: the others wait for the first instead of loading it, too.

    Neither the loading nor the waiting is charged to the piece of work that needed it first.
    """
    cached, lock = cache(load), threading.Lock()

    @wraps(load)
    def locked(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        with waiting(), lock:
            return cached(*args, **kwargs)  # type: ignore[arg-type]

    return locked
