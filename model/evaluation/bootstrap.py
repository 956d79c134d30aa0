"""How far a rate would move had other recordings of the same kind been transcribed."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_MAX_BLOCKS = 5000
"""More recordings are summed into this many blocks first, so that time and memory stay the same."""


@dataclass(frozen=True)
class Interval:
    """A rate with its interval."""

    low: float
    high: float


def bootstrap_interval(
    errors: npt.ArrayLike, lengths: npt.ArrayLike, confidence: float = 0.95, resamples: int = 1000, seed: int = 0
) -> Interval | None:
    """The percentile interval of sum(errors) / sum(lengths) over resampled recordings; None for fewer than two.

    Recordings are drawn whole, because the errors within one belong together. The same input gives the same interval.

    Args:
        errors: (n,) errors of each recording.
        lengths: (n,) its reference's length.
        confidence: share of resampled rates inside the interval.
        resamples: how many sets are drawn.
        seed: of the draws.

    Source: Bisani and Ney, Bootstrap estimates for confidence intervals in ASR performance evaluation, ICASSP 2004.
    """
    pairs = _blocks(np.column_stack([np.asarray(errors, np.float64), np.asarray(lengths, np.float64)]), seed)
    if len(pairs) < 2 or not pairs[:, 1].any():
        return None
    generator = np.random.default_rng(seed)
    rates = []
    for _ in range(resamples):
        drawn = np.bincount(generator.integers(0, len(pairs), len(pairs)), minlength=len(pairs)) @ pairs
        if drawn[1] > 0:
            rates.append(drawn[0] / drawn[1])
    low, high = np.quantile(rates, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(low), float(high))


def _blocks(pairs: npt.NDArray[np.float64], seed: int) -> npt.NDArray[np.float64]:
    if len(pairs) <= _MAX_BLOCKS:
        return pairs
    order = np.random.default_rng(seed).permutation(len(pairs))
    borders = np.linspace(0, len(pairs), _MAX_BLOCKS, endpoint=False).astype(np.int64)
    return np.add.reduceat(pairs[order], borders, axis=0)
