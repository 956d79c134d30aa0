"""Numbers on the command line."""

import argparse
import math
from collections.abc import Callable
from typing import TypeVar

_Number = TypeVar("_Number", int, float)


def whole_from(least: int, most: float = math.inf) -> Callable[[str], int]:
    """A type of argparse: whole numbers from `least` to `most`."""
    return _within(int, least, most)


def number_from(least: float, most: float = math.inf) -> Callable[[str], float]:
    """A type of argparse: finite numbers from `least` to `most`."""
    return _within(float, least, most)


def _within(kind: Callable[[str], _Number], least: float, most: float) -> Callable[[str], _Number]:
    def number(text: str) -> _Number:
        value = kind(text)
        if not (math.isfinite(value) and least <= value <= most):
            limits = [f"at least {least:g}"] * (least > -math.inf) + [f"at most {most:g}"] * (most < math.inf)
            raise argparse.ArgumentTypeError(f"{text}: must be {' and '.join(limits) or 'finite'}")
        return value

    return number
