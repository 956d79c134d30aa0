"""Drift: alarms when a night is different, and quiet when it is not."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from funasr_beam.model.metrics.drift import RunProfile, _chance_of, compare_runs, distance
from funasr_beam.model.metrics.histograms import Histogram, relative


def bins(values):
    made = Histogram(relative())
    made.add(np.asarray(values, np.float64))
    return made.listed()


def night(seed, count=100, shift=1.0, failed=0.02, chinese=0.2):
    """A night of recordings of which each has a speed of speech, a status and a language."""
    generator = np.random.default_rng(seed)
    statuses = Counter({"failed": int(generator.binomial(count, failed))})
    statuses["ok"] = count - statuses["failed"]
    languages = Counter({"zh": int(generator.binomial(count, chinese))})
    languages["en"] = count - languages["zh"]
    speed = bins(shift * generator.lognormal(2.5, 0.2, count))
    return RunProfile(f"night-{seed}", count, {"chars_per_s": speed}, {"status": statuses, "language": languages})


def week(seed, **changes):
    return [night(1000 * seed + day, **changes) for day in range(7)]


def alarms(tonight, earlier):
    return [check.name for check in compare_runs(tonight, earlier).alarms]


def test_nights_without_a_change_are_quiet():
    assert sum(bool(alarms(night(seed), week(seed + 1))) for seed in range(100)) <= 3


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"shift": 1.2}, ["chars_per_s"]),
        ({"failed": 0.25}, ["status failed", "status ok"]),
        ({"chinese": 0.6}, ["language en", "language zh"]),
        ({"count": 30}, ["recordings"]),
        ({"count": 300}, ["recordings"]),
    ],
)
def test_a_night_with_a_change_alarms_and_says_what(change, names):
    for seed in range(10):
        assert alarms(night(seed, **change), week(seed + 1)) == names


def test_a_small_difference_is_no_news_however_many_recordings_show_it():
    assert not alarms(night(1, count=50_000, shift=1.01), week(2, count=50_000))


def test_weekends_that_are_always_different_are_no_news():
    earlier = week(3)[:5] + [night(90 + day, shift=1.4) for day in range(2)]
    assert not alarms(night(5, shift=1.4), earlier)
    assert alarms(night(5, shift=1.9), earlier) == ["chars_per_s"]


def test_one_odd_night_among_the_earlier_ones_does_not_hide_the_next():
    earlier = [*week(3)[:6], night(90, shift=1.4)]
    assert alarms(night(5, shift=1.4), earlier) == ["chars_per_s"]


def test_too_few_recordings_are_compared_by_their_number_only():
    checks = compare_runs(night(1, count=10, shift=3.0), week(2, count=12)).checks
    assert checks == ()
    assert [check.name for check in compare_runs(night(1, count=10), week(2)).checks] == ["recordings"]


@given(st.lists(st.floats(0.1, 100), min_size=1), st.lists(st.floats(0.1, 100), min_size=1))
def test_the_distance_is_that_of_kolmogorov_and_smirnov_over_the_bins(left, right):
    places = relative()
    one, two = (places.places(np.array(values)) for values in (left, right))
    exact = max(abs(np.mean(one <= place) - np.mean(two <= place)) for place in [*one, *two])
    assert distance(bins(left), bins(right)) == pytest.approx(exact, abs=1e-9)


@given(st.integers(1, 30), st.integers(0, 60), st.integers(0, 30))
def test_chances_of_counts_are_those_of_fishers_test(n, more, k):
    total = n + more + 1
    k = min(k, total)
    ways = {x: math.comb(k, x) * math.comb(total - k, n - x) for x in range(max(0, n + k - total), min(n, k) + 1)}
    for x in ways:
        high = x * total >= n * k
        tail = sum(count for other, count in ways.items() if (other >= x if high else other <= x))
        assert _chance_of(x, n, k, total) == pytest.approx(min(2 * tail / math.comb(total, n), 1), rel=1e-6)
