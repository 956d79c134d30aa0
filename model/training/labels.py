"""From word times to one label a frame: what is spoken in each 60 ms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

FRAME_S = 0.06
CENTRE_S = 0.0125
"""Centre of frame 0: the middle of its 25 ms window, the three stacked frames on each side being symmetric."""
IGNORED = -100

TokenSpan = tuple[int, float, float]


def token_spans(words: Sequence[tuple[list[int], float, float]]) -> list[TokenSpan]:
    """(token, start_s, end_s) of each token; the tokens of a word share its time evenly."""
    spans = []
    for tokens, start_s, end_s in words:
        step = (end_s - start_s) / max(len(tokens), 1)
        spans += [(token, start_s + i * step, start_s + (i + 1) * step) for i, token in enumerate(tokens)]
    return spans


def frame_ranges(spans: Sequence[TokenSpan], frames: int) -> NDArray[np.int64]:
    """(tokens, 2) first and one-past-last frame of each token: those whose centres it covers, and at least one."""
    ranges = np.zeros((len(spans), 2), dtype=np.int64)
    free = 0
    for index, (_, start_s, end_s) in enumerate(spans):
        first = max(int(np.ceil((start_s - CENTRE_S) / FRAME_S)), free)
        last = int(np.ceil((end_s - CENTRE_S) / FRAME_S))
        first = min(first, frames - 1)
        ranges[index] = first, min(max(last, first + 1), frames)
        free = int(ranges[index, 1])
    return ranges


def frame_labels(spans: Sequence[TokenSpan], frames: int, blank: int) -> NDArray[np.int64]:
    """(frames,) the token spoken in each frame, blank in pauses and, as CTC wants it, between equal neighbours."""
    labels = np.full(frames, blank, dtype=np.int64)
    ranges = frame_ranges(spans, frames)
    for (token, _, _), (first, last) in zip(spans, ranges, strict=True):
        labels[first:last] = token
    for (token, _, _), (following, _, _), (first, last), (start, end) in zip(
        spans, spans[1:], ranges, ranges[1:], strict=False
    ):
        if token == following and last == start:
            if last - first > 1:
                labels[last - 1] = blank
            elif end - start > 1:
                labels[start] = blank
    return labels
