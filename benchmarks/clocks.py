"""Clocks around what runs, without a line in it."""

import functools
from collections.abc import Callable
from typing import Any

from funasr_beam.model.stage_clock import StageClock


def wrap(owner: Any, function: str, clock: StageClock, stage: str, before: Callable[..., None] | None = None) -> None:
    """Charge all calls of a function to a stage; `before` is told of each, with its arguments."""
    inner: Callable[..., Any] = getattr(owner, function)

    @functools.wraps(inner)
    def timed(*args: Any, **kwargs: Any) -> Any:
        if before is not None:
            before(*args)
        with clock.measure(stage):
            return inner(*args, **kwargs)

    setattr(owner, function, timed)
