"""Error rates: what is counted, and how."""

from funasr_beam.model.training.evaluate import error_rates, units


def test_mandarin_is_counted_in_characters() -> None:
    assert units("您好 吗", "zh") == list("您好吗")
    assert units("thank you", "en") == ["thank", "you"]


def test_rates_are_over_all_units_of_a_group() -> None:
    rows = [("a", "en", "one two three", "one two"), ("a", "en", "four", "four"), ("b", "zh", "五六", "五七")]
    assert error_rates(rows) == {"a": 25.0, "b": 50.0}
