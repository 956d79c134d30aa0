"""Frame labels: what is spoken in each 60 ms."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from funasr_beam.model.training.labels import CENTRE_S, FRAME_S, frame_labels, frame_ranges, token_spans

BLANK = 99


def test_frames_belong_to_the_word_at_their_centre() -> None:
    spans = [(5, 0.10, 0.30), (6, 0.30, 0.42)]
    assert frame_labels(spans, 9, BLANK).tolist() == [BLANK, BLANK, 5, 5, 5, 6, 6, BLANK, BLANK]


def test_equal_neighbours_are_parted_by_a_blank() -> None:
    labels = frame_labels([(5, 0.0, 0.18), (5, 0.18, 0.36)], 6, BLANK)
    assert labels.tolist() == [5, 5, BLANK, 5, 5, 5]


def test_the_tokens_of_a_word_share_its_time() -> None:
    assert token_spans([([1, 2], 1.0, 2.0), ([3], 2.0, 2.5)]) == [(1, 1.0, 1.5), (2, 1.5, 2.0), (3, 2.0, 2.5)]


@given(st.lists(st.tuples(st.floats(0.02, 0.6), st.floats(0.0, 0.5)), min_size=1, max_size=20))
def test_every_token_has_frames_of_its_own_near_its_time(shape: list[tuple[float, float]]) -> None:
    spans, at = [], 0.0
    for token, (duration, pause) in enumerate(shape):
        spans.append((token, at + pause, at + pause + duration))
        at += pause + duration
    frames = int(at / FRAME_S) + 30
    ranges = frame_ranges(spans, frames)
    assert (ranges[:, 1] > ranges[:, 0]).all()
    assert (ranges[1:, 0] >= ranges[:-1, 1]).all()
    long = [index for index, (duration, _) in enumerate(shape) if duration > 2 * FRAME_S]
    drift = FRAME_S * sum(duration < 2 * FRAME_S for duration, _ in shape)
    for index in long:
        starts_s = ranges[index, 0] * FRAME_S + CENTRE_S
        assert spans[index][1] - 1e-6 <= starts_s <= spans[index][1] + FRAME_S + drift + 1e-6


def test_labels_have_the_length_that_was_asked_for() -> None:
    assert frame_labels([(1, 0.0, 5.0)], 10, BLANK).shape == (10,)
    assert np.array_equal(frame_labels([], 3, BLANK), [BLANK] * 3)
