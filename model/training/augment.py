"""What is done to features on the way into a batch: masks in time and frequency, and a little noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BINS, STACKED = 80, 7
BAND_MASKS, WIDEST_BAND = 2, 12
TIME_MASKS_PER_FRAME, LONGEST_MASK = 1 / 40, 3
NOISE = 0.25


def augment(features: NDArray[np.float32], generator: np.random.Generator) -> NDArray[np.float32]:
    """(frames, 560) features with bands and short stretches replaced by their mean, and noise of a random strength."""
    frames = len(features)
    cube = features.reshape(frames, STACKED, BINS).copy()
    mean = cube.mean(axis=0, keepdims=True)
    for _ in range(BAND_MASKS):
        low = generator.integers(BINS)
        high = low + generator.integers(WIDEST_BAND)
        cube[:, :, low:high] = mean[:, :, low:high]
    for _ in range(generator.binomial(frames, TIME_MASKS_PER_FRAME)):
        start = generator.integers(frames)
        cube[start : start + generator.integers(1, LONGEST_MASK + 1)] = mean
    strength = np.float32(NOISE * generator.random() ** 2)
    cube += strength * generator.standard_normal(cube.shape, dtype=np.float32)
    return cube.reshape(frames, STACKED * BINS)
