"""Simulated audio: its frames say its text."""

import numpy as np
import pytest

from funasr_beam.model.training.data import Labels
from funasr_beam.model.training.labels import IGNORED, frame_labels, frame_ranges
from funasr_beam.model.training.simulate import Copied, random_copy, spoken_faster, tokens_before

BLANK = 50


def collapse(frames: np.ndarray) -> list[int]:
    """What a CTC decoder reads off frame labels."""
    kept = [token for token, before in zip(frames, [None, *frames[:-1]], strict=True) if token != before]
    return [int(token) for token in kept if token != BLANK]


@pytest.mark.parametrize("seed", range(10))
def test_a_random_copy_reads_as_its_text(seed: int) -> None:
    copy = random_copy(np.arange(4), 20, 5, BLANK, "en", np.random.default_rng(seed))
    assert collapse(copy.frames) == copy.tokens.tolist()
    for token, (first, last) in zip(copy.tokens, copy.ranges, strict=True):
        assert (copy.frames[first:last] == token).all()


@pytest.mark.parametrize("share", [0.3, 1.0])
def test_an_utterance_spoken_faster_reads_as_its_text(share: float) -> None:
    spans = [(3, 0.2, 0.6), (3, 0.6, 0.9), (4, 1.5, 1.9)]
    labels = Labels(np.array([3, 3, 4]), frame_ranges(spans, 40), frame_labels(spans, 40, BLANK), "en")
    copy = spoken_faster(labels, share, BLANK)
    assert collapse(copy.frames) == [3, 3, 4]
    assert len(copy.frames) == pytest.approx(40 * share, abs=4)


def test_tokens_before_are_those_said_before() -> None:
    copy = Copied(np.array([7, 8]), np.array([[0, 2], [3, 4]]), np.array([7, 7, BLANK, 8]), "en")
    assert tokens_before(copy, 1).tolist() == [IGNORED, IGNORED, IGNORED, 7]
    assert tokens_before(copy, 2).tolist() == [IGNORED] * 4
