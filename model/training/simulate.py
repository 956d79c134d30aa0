"""Simulated audio: what a perfect encoder would hear, one token a frame, to teach a language model to copy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from funasr_beam.model.training.data import Labels
from funasr_beam.model.training.labels import IGNORED

SLOWEST, FASTEST = 8, 1


@dataclass(frozen=True)
class Copied:
    """A text and the frames that say it: tokens, their ranges, a token or blank a frame, and the language."""

    tokens: NDArray[np.int64]
    ranges: NDArray[np.int64]
    frames: NDArray[np.int64]
    language: str


def spoken_faster(labels: Labels, share: float, blank: int) -> Copied:
    """An utterance of the corpus with its durations scaled by `share`; every token keeps a frame."""
    pieces: list[tuple[int, int]] = []
    at = 0
    for token, (first, last) in zip(labels.tokens.tolist(), labels.ranges.tolist(), strict=True):
        pieces += [(blank, first - at), (token, last - first)]
        at = last
    pieces.append((blank, len(labels.frames) - at))
    scaled = [
        (token, round(count * share) if token == blank else max(1, round(count * share))) for token, count in pieces
    ]
    return lay_out(scaled, blank, labels.language)


def random_copy(
    words: NDArray[np.int64], count: int, slowest: int, blank: int, language: str, generator: np.random.Generator
) -> Copied:
    """Random words, each for a random number of frames, with pauses here and there."""
    pieces = [(blank, int(generator.integers(0, 8)))]
    for token in generator.choice(words, size=count).tolist():
        pieces.append((token, int(generator.integers(FASTEST, slowest + 1))))
        pieces.append((blank, int(generator.integers(1, 12)) if generator.random() < 0.1 else 0))
    return lay_out(pieces, blank, language)


def lay_out(pieces: Sequence[tuple[int, int]], blank: int, language: str) -> Copied:
    """Runs of frames as a text with ranges; equal neighbours get a blank frame between them."""
    frames: list[int] = []
    tokens, ranges = [], []
    for token, count in pieces:
        if token != blank:
            if frames and frames[-1] == token:
                frames.append(blank)
            tokens.append(token)
            ranges.append((len(frames), len(frames) + count))
        frames += [token] * count
    edges = np.array(ranges, dtype=np.int64).reshape(-1, 2)
    return Copied(np.array(tokens, dtype=np.int64), edges, np.array(frames or [blank], dtype=np.int64), language)


def tokens_before(copy: Copied | Labels, back: int) -> NDArray[np.int64]:
    """(frames,) the token so many tokens before each frame's own; IGNORED in pauses and at the start."""
    out = np.full(len(copy.frames), IGNORED, dtype=np.int64)
    for (first, last), token in zip(copy.ranges[back:], copy.tokens, strict=False):
        out[first:last] = token
    return out
