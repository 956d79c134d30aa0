"""Slow calls, several at once and in order, only a few ahead of whoever takes the results."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
_AHEAD = 4  # items that wait for each thread


def map_ahead(
    function: Callable[[_Item], _Result],
    items: Iterable[_Item],
    threads: int,
    is_slow: Callable[[_Item], bool] = lambda _: True,
) -> Iterator[_Result]:
    """The function's results in the order of the items; what is not slow is called at once, in this thread."""
    with ThreadPoolExecutor(threads, "ahead") as pool:
        waiting: deque[Callable[[], _Result]] = deque()
        for item in items:
            waiting.append(pool.submit(function, item).result if is_slow(item) else _known(function(item)))
            if len(waiting) >= _AHEAD * threads:
                yield waiting.popleft()()
        while waiting:
            yield waiting.popleft()()


def _known(result: _Result) -> Callable[[], _Result]:
    done: Future[_Result] = Future()
    done.set_result(result)
    return done.result
