"""Words get the times at which their tokens are heard, or none."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from funasr_beam.model.alignment import WordTime, align_words, split_words, stretch_words

BLANK = 9


def heard(frames, probability=0.9):
    """Log-probabilities of a head that hears these tokens, frame by frame."""
    rest = (1 - probability) / BLANK
    posteriors = np.full((len(frames), BLANK + 1), rest)
    posteriors[np.arange(len(frames)), frames] = probability
    return torch.tensor(posteriors, dtype=torch.float32).log()


def align(frames, words, frame_s=0.1, offset_s=0.0, duration_s=None):
    duration_s = len(frames) * frame_s if duration_s is None else duration_s
    return align_words(heard(frames), words, BLANK, frame_s, offset_s, duration_s)


def rounded(times):
    return [(round(time.start_s, 3), round(time.end_s, 3)) for time in times]


def test_words_reach_from_the_first_frame_of_their_tokens_to_the_last():
    times = align([BLANK, 1, 1, 2, 2, BLANK, BLANK, 3, BLANK], [[1, 2], [3]])
    assert rounded(times) == [(0.1, 0.5), (0.7, 0.8)]
    assert [time.confidence for time in times] == pytest.approx([0.9, 0.9], abs=1e-5)


def test_confidence_is_the_mean_posterior_of_the_words_frames():
    log_probs = heard([BLANK, 1, 1, BLANK])
    log_probs[2] = heard([1], 0.5)[0]
    (time,) = align_words(log_probs, [[1]], BLANK, 0.1, 0.0, 0.4)
    assert time.confidence == pytest.approx(0.7, abs=1e-5)


def test_a_word_that_was_not_said_has_a_low_confidence():
    said, not_said = align([1, 1, BLANK, 2, 2, 2], [[1], [3]])
    assert said.confidence > 0.8
    assert not_said.confidence < 0.2


def test_times_are_on_the_heads_clock():
    assert rounded(align([BLANK, 1, 1], [[1]], frame_s=0.06, offset_s=0.01)) == [(0.07, 0.18)]


def test_equal_tokens_in_a_row_are_kept_apart_by_a_blank():
    assert rounded(align([1, BLANK, 1], [[1], [1]])) == [(0.0, 0.1), (0.2, 0.3)]
    assert align([1, 1], [[1], [1]]) is None


def test_more_tokens_than_frames_have_no_times():
    assert align([1, 2], [[1, 2, 3]]) is None
    assert align([], [[1]]) is None


def test_as_many_tokens_as_frames_have_times():
    assert rounded(align([1, 2, 3], [[1, 2], [3]])) == [(0.0, 0.2), (0.2, 0.3)]


def test_no_words_need_no_times():
    assert align([1, 2], []) == []


def test_the_end_of_the_audio_is_the_end_of_the_last_word():
    assert rounded(align([BLANK, 1, 1], [[1]], duration_s=0.25)) == [(0.1, 0.25)]


def test_a_word_beyond_the_end_of_the_audio_leaves_all_without_times():
    assert align([1, BLANK, BLANK, 2], [[1], [2]], duration_s=0.25) is None


def test_scores_that_are_no_numbers_give_no_times():
    log_probs = heard([1, 2, 3])
    log_probs[1] = float("nan")
    assert align_words(log_probs, [[1], [2]], BLANK, 0.1, 0.0, 0.3) is None
    assert align_words(torch.full((3, 10), float("-inf")), [[1]], BLANK, 0.1, 0.0, 0.3) is None


@pytest.mark.parametrize("words", [[[1], []], [[BLANK]], [[10]], [[-1]]])
def test_tokens_that_are_not_the_heads_are_refused(words):
    with pytest.raises(ValueError, match="token"):
        align([1, 2, 3], words)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_times_are_ordered_disjoint_and_inside_whatever_is_heard(data):
    num_frames = data.draw(st.integers(1, 60))
    words = data.draw(st.lists(st.lists(st.integers(0, BLANK - 1), min_size=1, max_size=4), min_size=1, max_size=12))
    logits = np.random.default_rng(data.draw(st.integers(0, 999))).normal(0, 4, (num_frames, BLANK + 1))
    log_probs = torch.log_softmax(torch.tensor(logits, dtype=torch.float32), dim=1)
    times = align_words(log_probs, words, BLANK, 0.06, 0.0, num_frames * 0.06)
    tokens = [token for word in words for token in word]
    needed = len(tokens) + sum(a == b for a, b in itertools.pairwise(tokens))
    assert (times is None) == (needed > num_frames)
    for time in times or []:
        assert 0 <= time.start_s < time.end_s <= num_frames * 0.06
        assert 0 <= time.confidence <= 1
    assert all(a.end_s <= b.start_s + 1e-9 for a, b in itertools.pairwise(times or []))
    assert times is None or len(times) == len(words)


def test_words_of_a_peaky_head_are_stretched_up_to_the_next_word_and_the_end():
    times = [WordTime(0.1, 0.16, 1.0), WordTime(0.2, 0.26, 1.0), WordTime(0.9, 0.96, 1.0)]
    assert rounded(stretch_words(times, 0.2, 1.0)) == [(0.1, 0.2), (0.2, 0.46), (0.9, 1.0)]
    assert stretch_words([], 0.2, 1.0) == []


def test_a_text_is_split_into_the_words_that_get_times():
    assert split_words("iPhone手机, OK?") == ["iPhone", "手", "机", "OK"]
