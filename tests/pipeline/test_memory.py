"""Memory depends on the configuration, not on the length of a recording."""

import pytest

from benchmarks.memory import measure

pytestmark = pytest.mark.slow


def test_two_hours_in_one_file_take_no_more_memory_than_twenty_minutes_in_twenty(tmp_path):
    short, long = measure(tmp_path, hours=2).values()
    assert long - short < 300
