"""Error rates: what is counted, and how."""

import pytest

from funasr_beam.model.training.evaluate import edit_distance, error_rates, units


@pytest.mark.parametrize(
    ("reference", "hypothesis", "distance"),
    [("a b c", "a b c", 0), ("a b c", "a c", 1), ("a b c", "a x b c", 1), ("a b c", "c b a", 2), ("", "a", 1)],
)
def test_edit_distance_counts_words(reference: str, hypothesis: str, distance: int) -> None:
    assert edit_distance(reference.split(), hypothesis.split()) == distance


def test_mandarin_is_counted_in_characters() -> None:
    assert units("您好 吗", "zh") == list("您好吗")
    assert units("thank you", "en") == ["thank", "you"]


def test_rates_are_over_all_units_of_a_group() -> None:
    rows = [("a", "en", "one two three", "one two"), ("a", "en", "four", "four"), ("b", "zh", "五六", "五七")]
    assert error_rates(rows) == {"a": 25.0, "b": 50.0}
