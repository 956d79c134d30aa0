"""Bootstrap intervals: they hold the true rate about as often as they say."""

import numpy as np
import pytest

from funasr_beam.model.evaluation.bootstrap import bootstrap_interval


def test_nineteen_of_twenty_intervals_hold_the_true_rate():
    generator = np.random.default_rng(7)
    held = 0
    for trial in range(100):
        lengths = generator.integers(5, 50, 80)
        interval = bootstrap_interval(generator.binomial(lengths, 0.1), lengths, resamples=300, seed=trial)
        held += interval.low <= 0.1 <= interval.high
    assert held >= 87


def test_many_recordings_have_the_interval_of_their_number():
    lengths = np.full(40_000, 10)
    errors = np.random.default_rng(1).binomial(10, 0.2, 40_000)
    interval = bootstrap_interval(errors, lengths)
    expected = 2 * 1.96 * np.sqrt(0.2 * 0.8 / 400_000)
    assert interval.high - interval.low == pytest.approx(expected, rel=0.15)


def test_the_same_input_has_the_same_interval():
    assert bootstrap_interval([1, 0, 2], [5, 5, 5]) == bootstrap_interval([1, 0, 2], [5, 5, 5])


def test_one_recording_has_no_interval():
    assert bootstrap_interval([1], [10]) is None
    assert bootstrap_interval([1, 2], [0, 0]) is None
