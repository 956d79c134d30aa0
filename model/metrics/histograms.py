"""Distributions as counts in fixed bins: they merge exactly, in any order, and know their quantiles within 1 %.

The sketches of `datasketches` draw lots and `ddsketch` takes one value at a time; here the same rows always give the
same numbers, so that metrics of a run can be compared with a recomputation by equality.
"""

import math
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]

_MICRO = 1_000_000
_ZERO = -(2**40)  # the bin of everything too small for logarithmic bins


@dataclass(frozen=True)
class Bins:
    """How values are told apart: `step` wide, or (logarithmic) as many times as large as the bin before.

    Logarithmic bins take values of 1e-9 and more; smaller ones are zero.
    """

    step: float
    logarithmic: bool = False

    def places(self, values: Values) -> npt.NDArray[np.int64]:
        """The bin of each value."""
        if not self.logarithmic:
            # Bins are centred on multiples of the step: rounded values lie in the middle of a bin, not on its border.
            return np.floor(values / self.step + 0.5).astype(np.int64)
        places = np.full(len(values), _ZERO, np.int64)
        large = values >= 1e-9
        places[large] = np.floor(np.log(values[large]) / math.log(self.step)).astype(np.int64)
        return places

    def low(self, place: int) -> float:
        """Lower edge of a bin."""
        if not self.logarithmic:
            return (place - 0.5) * self.step
        return 0.0 if place == _ZERO else self.step**place

    def high(self, place: int) -> float:
        """Upper edge of a bin."""
        if not self.logarithmic:
            return (place + 0.5) * self.step
        return 0.0 if place == _ZERO else self.step ** (place + 1)


def relative() -> Bins:
    """Bins for lengths and rates: 0.5 % from the middle to either edge."""
    return Bins(1.01, logarithmic=True)


@dataclass(frozen=True)
class Bin:
    """One bin with what is in it."""

    low: float
    high: float
    count: int


@dataclass
class Histogram:
    """How often values fell into each bin, with their exact number, mean (to 1e-6), least and largest."""

    bins: Bins
    counts: Counter[int] = field(default_factory=Counter)
    micro_sum: int = 0  # in millionths: whole numbers add up to the same in any order
    least: float = math.inf
    largest: float = -math.inf

    def add(self, values: Values) -> None:
        """Count values; NaN stands for none.

        Args:
            values: (n,) float64.
        """
        known = values[~np.isnan(values)]
        if not len(known):
            return
        places, counts = np.unique(self.bins.places(known), return_counts=True)
        self.counts.update(dict(zip(places.tolist(), counts.tolist(), strict=True)))
        self.micro_sum += int(np.rint(known * _MICRO).astype(np.int64).sum())
        self.least = min(self.least, float(known.min()))
        self.largest = max(self.largest, float(known.max()))

    def merge(self, other: "Histogram") -> None:
        """Add what another histogram of the same bins has counted."""
        self.counts.update(other.counts)
        self.micro_sum += other.micro_sum
        self.least = min(self.least, other.least)
        self.largest = max(self.largest, other.largest)

    @property
    def total(self) -> int:
        """Number of values."""
        return self.counts.total()

    @property
    def sum(self) -> float:
        """Their sum."""
        return self.micro_sum / _MICRO

    @property
    def mean(self) -> float | None:
        """Their mean; None without values."""
        return self.sum / self.total if self.total else None

    def quantile(self, share: float) -> float | None:
        """The value below which `share` of all lie, to half a bin; None without values."""
        wanted = max(math.ceil(share * self.total), 1)
        passed = 0
        for place in sorted(self.counts):
            passed += self.counts[place]
            if passed >= wanted:
                middle = (self.bins.low(place) + self.bins.high(place)) / 2
                return round(min(max(middle, self.least), self.largest), 9)
        return None

    def listed(self) -> list[Bin]:
        """The bins that hold something, in order."""
        return [Bin(self.bins.low(place), self.bins.high(place), self.counts[place]) for place in sorted(self.counts)]
