"""Which stretches are decoded for clips."""

from hypothesis import given
from hypothesis import strategies as st

from funasr_beam.pipeline.export.audio import windows
from funasr_beam.pipeline.export.records import ExportSegment

STARTS = st.lists(st.floats(0, 36_000), min_size=1, max_size=40).map(sorted)


def made(start_s, length_s=20.0):
    return ExportSegment(f"{start_s}", 0, start_s, start_s + length_s, "text", None, None, None, None, None)


@given(STARTS, st.sampled_from([30.0, 300.0, 600.0]))
def test_windows_hold_every_segment_once_and_stay_short(starts, longest_s):
    segments = [made(start) for start in starts]
    found = list(windows(segments, longest_s))
    assert [segment for window in found for segment in window] == segments
    for window in found:
        assert max(segment.end_s for segment in window) - window[0].start_s <= longest_s


def test_long_pauses_are_not_decoded():
    assert [len(window) for window in windows([made(0.0), made(250.0), made(580.0)], 900.0)] == [2, 1]


def test_a_segment_that_is_longer_than_a_window_has_its_own():
    assert [len(window) for window in windows([made(0.0), made(10.0, 900.0), made(915.0)], 600.0)] == [1, 1, 1]
