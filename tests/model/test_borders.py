"""Both neighbours of a border find the same quiet place, and planned spans fill the recording."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from funasr_beam.model.borders import nominal_spans, settle_border


def babble(seconds, pauses=(), amplitude=3000, channels=1, seed=0, hiss=3):
    """Noise in syllables of changing loudness, with pauses (start, end) that hold hiss only."""
    rng = np.random.default_rng(seed)
    n = round(seconds * 16_000)
    loudness = np.repeat(rng.uniform(0.3, 1, (channels, n // 1600 + 1)), 1600, axis=1)[:, :n]
    for start, end in pauses:
        loudness[:, round(start * 16_000) : round(end * 16_000)] = 0
    samples = rng.normal(0, amplitude, (channels, n)) * loudness + rng.normal(0, hiss, (channels, n))
    return samples.round().clip(-32768, 32767).astype(np.int16)


def test_the_border_lies_in_the_pause():
    border_s = settle_border(babble(10, [(6.2, 6.9)]), 595.0, 600.0)
    assert 601.2 < border_s < 601.9


def test_of_two_pauses_the_nearer_one_is_taken():
    border_s = settle_border(babble(10, [(1, 2), (6, 7)]), 595.0, 600.0)
    assert 601 < border_s < 602


def test_silence_keeps_the_nominal_border():
    assert settle_border(np.zeros((2, 160_000), np.int16), 595.0, 600.0) == 600.0


def test_of_two_equally_near_places_the_earlier_one_is_taken():
    samples = np.full((1, 160_000), 5000, np.int16)
    samples[:, 40_000:48_000] = samples[:, 112_000:120_000] = 0  # mirror images around 5 s
    assert settle_border(samples, 0.0, 5.0) < 5.0


def test_a_pause_counts_only_where_all_channels_pause():
    samples = babble(10, [(2, 3)], channels=2)
    samples[0] = babble(10, [(2, 3), (5.5, 6.5)])[0]
    assert 597 < settle_border(samples, 595.0, 600.0) < 598


def test_no_samples_keep_the_nominal_border():
    assert settle_border(np.zeros((1, 0), np.int16), 595.0, 600.0) == 600.0


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6), st.floats(0, 36_000), st.floats(0, 10), st.integers(160, 50_000))
def test_the_border_lies_in_the_window_on_its_grid_of_10_ms(seed, start_s, offset_s, n):
    samples = babble(4, seed=seed)[:, :n]
    border_s = settle_border(samples, start_s, start_s + offset_s)
    ticks = (border_s - start_s) * 100
    assert ticks == pytest.approx(round(ticks), abs=1e-4)
    assert start_s <= border_s <= start_s + n / 16_000 + 1e-9


@pytest.mark.parametrize("hiss", [0, 1, 30, 300])
def test_one_unit_of_int16_does_not_move_the_border(hiss):
    rng = np.random.default_rng(1)
    moved = 0
    for seed in range(40):
        pauses = [(start, start + 0.5) for start in rng.uniform(0, 9.5, 3)]
        samples = babble(10, pauses, channels=2, seed=seed, hiss=hiss)
        other = (samples + rng.integers(-1, 2, samples.shape)).clip(-32768, 32767).astype(np.int16)
        moved += settle_border(samples, 0.0, 5.0) != settle_border(other, 0.0, 5.0)
    assert moved == 0


@given(st.floats(0.01, 1e6), st.floats(1, 7200))
@settings(deadline=None)
def test_spans_follow_each_other_and_none_is_tiny(duration_s, span_s):
    if duration_s / span_s > 2000:
        return
    spans = nominal_spans(duration_s, span_s)
    assert spans[0][0] == 0.0
    assert spans[-1][1] is None
    assert all(left[1] == right[0] for left, right in itertools.pairwise(spans))
    assert all(end - start == pytest.approx(span_s) for start, end in spans[:-1])
    last_s = duration_s - spans[-1][0]
    assert last_s <= 1.5 * span_s + 1e-6
    assert len(spans) == 1 or last_s >= 0.5 * span_s - 1e-6


def test_an_unknown_duration_is_one_span():
    assert nominal_spans(None, 600.0) == [(0.0, None)]


def test_a_span_without_length_is_refused():
    with pytest.raises(ValueError, match="span_s = 0: must be positive"):
        nominal_spans(60.0, 0.0)
