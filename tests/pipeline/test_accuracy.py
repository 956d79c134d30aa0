"""The demo checkpoint through the whole pipeline, on sentences and voices that its training never heard."""

import pytest

from benchmarks.demo_pipeline import score_model

pytestmark = pytest.mark.slow

LARGEST_ERROR = {"en clean": 5.0, "zh clean": 4.0, "en phone": 9.0, "zh phone": 7.0}  # percent


@pytest.fixture(scope="module")
def scores(tmp_path_factory):
    return score_model(tmp_path_factory.mktemp("scores"), count=8)


@pytest.mark.parametrize("name", LARGEST_ERROR)
def test_text_is_right(scores, name):
    assert scores[name].error_rate <= LARGEST_ERROR[name]


@pytest.mark.parametrize("name", LARGEST_ERROR)
def test_words_begin_and_end_when_they_are_said(scores, name):
    score = scores[name]
    assert score.timed_share == 100.0
    assert max(score.start_median_ms, score.end_median_ms) <= 60
    assert max(score.start_p95_ms, score.end_p95_ms) <= 200
