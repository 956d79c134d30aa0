"""Histograms: exact counts, exact merging, quantiles within 1 %."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from funasr_beam.model.metrics.histograms import Bins, Histogram, relative

NUMBERS = st.lists(st.floats(0, 1e6), min_size=1, max_size=200)


def histogram(values, bins=None):
    made = Histogram(bins or relative())
    made.add(np.array(values, np.float64))
    return made


@given(NUMBERS, st.lists(st.integers(0, 200), max_size=3))
@settings(deadline=None)
def test_parts_merge_to_the_whole_in_any_order(values, cuts):
    merged = Histogram(relative())
    for part in reversed(np.split(np.array(values), sorted(min(cut, len(values)) for cut in cuts))):
        merged.merge(histogram(part))
    assert merged == histogram(values)


@given(NUMBERS, st.floats(0.001, 1))
@settings(deadline=None)
def test_quantiles_are_within_one_percent(values, share):
    exact = float(np.quantile(values, share, method="inverted_cdf"))
    assert histogram(values).quantile(share) == pytest.approx(exact, rel=0.01, abs=1e-8)


@given(st.lists(st.floats(-40, 90), min_size=1), st.floats(0.001, 1))
@settings(deadline=None)
def test_quantiles_of_linear_bins_are_within_half_a_step(values, share):
    exact = float(np.quantile(values, share, method="inverted_cdf"))
    assert histogram(values, Bins(0.1)).quantile(share) == pytest.approx(exact, abs=0.0501)


def test_missing_values_are_not_counted():
    assert histogram([1.0, float("nan"), 3.0]).total == 2
    assert histogram([float("nan")]).mean is None


def test_count_mean_and_extremes_are_exact():
    made = histogram([0.1, 0.2, 0.3, 12.5])
    assert (made.total, made.mean, made.least, made.largest) == (4, pytest.approx(3.275, abs=1e-9), 0.1, 12.5)


def test_bins_cover_every_value():
    made = histogram([0.0, 0.004, 17.0, 17.2])
    for value in (0.0, 0.004, 17.0, 17.2):
        assert any(found.low <= value <= found.high for found in made.listed())
    assert sum(found.count for found in made.listed()) == 4
