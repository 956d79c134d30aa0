"""Patience grows with the file."""

from funasr_beam.model.audio.limits import DecodeLimits


def test_a_larger_file_may_take_longer():
    limits = DecodeLimits(base_s=10, s_per_mb=2)
    assert limits.total_s(0) == 10
    assert limits.total_s(5_000_000) == 20
