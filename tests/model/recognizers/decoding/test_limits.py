"""The shapes in which steps are recorded."""

import pytest

from funasr_beam.model.recognizers.decoding.limits import DIRECT, RECORDED


@pytest.mark.parametrize(
    ("count", "rows", "slots"),
    [(1, 1, 1), (3, 4, 4), (9, 16, 16), (17, 24, 32), (40, 40, 64), (60, 64, 64), (75, 80, 128), (130, 160, 256)],
)
def test_recorded_rows_are_few_numbers_that_are_not_far_above_what_is_needed(count, rows, slots):
    assert (RECORDED.rows(count), RECORDED.slots(count)) == (rows, slots)


def test_above_a_few_rows_at_most_a_quarter_more_are_computed_in_at_most_four_shapes_for_each_power_of_two():
    for count in range(25, 257):
        assert count <= RECORDED.rows(count) <= 1.25 * count + 6
    assert len({RECORDED.rows(count) for count in range(129, 257)}) == 4


def test_a_cpu_computes_what_is_needed():
    assert [(DIRECT.rows(count), DIRECT.slots(count)) for count in (1, 9, 75)] == [(1, 1), (9, 9), (75, 75)]
