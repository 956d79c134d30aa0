"""Segments cover all speech, keep their limits, and are cut where the speaker pauses."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from funasr_beam.model.segmentation import (
    MIN_SEGMENT_SAMPLES,
    SegmentationConfig,
    cut_segments,
    segment_bounds,
    speech_intervals,
)
from funasr_beam.model.vad import FRAME_S

DEFAULT = SegmentationConfig()


@st.composite
def recordings(draw):
    """Runs of speech and silence with uncertain frames in between, up to some minutes, and where the audio ends."""
    runs = draw(st.lists(st.tuples(st.floats(0, 1, width=32), st.integers(1, 1500)), max_size=12))
    flicker = draw(st.floats(0, 0.5))
    level = np.repeat([p for p, _ in runs], [n for _, n in runs]).astype(np.float32)
    noise = np.random.default_rng(draw(st.integers(0, 99))).uniform(-flicker, flicker, len(level))
    probabilities = np.clip(level + noise, 0, 1).astype(np.float32)
    samples = max(len(probabilities) * 512 - draw(st.integers(0, 511)), 0)
    return probabilities, samples / 16_000


@st.composite
def configs(draw):
    target_s = draw(st.floats(1, 40))
    threshold = draw(st.floats(0.1, 0.9))
    return SegmentationConfig(
        target_s=target_s,
        max_s=target_s + draw(st.floats(0, 5)),
        threshold=threshold,
        neg_threshold=threshold * draw(st.floats(0.3, 1)),
        min_silence_s=draw(st.floats(0, 1)),
        min_speech_s=draw(st.floats(0, 0.5)),
        pad_s=draw(st.floats(0, 1)),
        merge_gap_s=draw(st.floats(0, 3)),
    )


def bounds_of(probabilities, config, start_s, duration_s):
    intervals = speech_intervals(probabilities, config, start_s, 0)
    return intervals, segment_bounds(intervals, probabilities, config, start_s, duration_s)


@settings(max_examples=150, deadline=None)
@given(recordings(), configs(), st.integers(0, 4_000_000))
def test_segments_are_ordered_disjoint_within_the_audio_and_never_too_long_or_too_short(recording, config, tick):
    (probabilities, duration_s), start_s = recording, tick / 100
    _, bounds = bounds_of(probabilities, config, start_s, duration_s)
    edges = [edge for bound in bounds for edge in bound]
    assert edges == sorted(edges)
    assert all(start_s <= edge <= start_s + duration_s + 1e-9 for edge in edges)
    for first, last in bounds:
        assert last - first <= config.max_s + 1e-6
        assert round((last - first) * 16_000) >= MIN_SEGMENT_SAMPLES


@settings(max_examples=150, deadline=None)
@given(recordings(), configs(), st.integers(0, 4_000_000))
def test_every_raw_speech_interval_lies_in_segments(recording, config, tick):
    (probabilities, duration_s), start_s = recording, tick / 100
    intervals, bounds = bounds_of(probabilities, config, start_s, duration_s)
    if duration_s * 16_000 < MIN_SEGMENT_SAMPLES:
        assert bounds == []
        return
    for interval in intervals:
        end_s = min(interval.end_s, start_s + duration_s)
        covered = sum(max(0.0, min(end_s, last) - max(interval.start_s, first)) for first, last in bounds)
        assert covered == pytest.approx(end_s - interval.start_s, abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(recordings(), configs())
def test_raw_intervals_are_as_long_and_as_far_apart_as_configured(recording, config):
    intervals = speech_intervals(recording[0], config, 0.0, 1)
    assert all(i.channel == 1 and i.end_s - i.start_s >= config.min_speech_s - 1e-9 for i in intervals)
    if config.min_speech_s == 0:
        gaps = [b.start_s - a.end_s for a, b in itertools.pairwise(intervals)]
        assert all(gap >= config.min_silence_s - 1e-9 for gap in gaps)


def test_an_interval_starts_at_the_upper_threshold_and_ends_below_the_lower_one():
    probabilities = np.array([0.4, 0.4, 0.6, 0.4, 0.4, 0.9, 0.1] + [0.0] * 20, np.float32)
    (interval,) = speech_intervals(probabilities, DEFAULT, 10.0, 0)
    assert interval.start_s == pytest.approx(10 + 2 * FRAME_S)
    assert interval.end_s == pytest.approx(10 + 6 * FRAME_S)


def test_an_interval_ends_with_the_audio_not_with_its_last_frame():
    (interval,) = speech_intervals(np.ones(50, np.float32), DEFAULT, 5.0, 0, end_s=6.59)
    assert (interval.start_s, interval.end_s) == (5.0, 6.59)


def test_silence_has_no_intervals_and_no_segments():
    assert bounds_of(np.zeros(100, np.float32), DEFAULT, 0.0, 3.2) == ([], [])
    assert bounds_of(np.zeros(0, np.float32), DEFAULT, 0.0, 0.0) == ([], [])


def speech_with_pauses(pauses_s, duration_s, pause_length_s=0.16):
    """Probabilities of unbroken speech but for short pauses, as silero sees them: never quite silent."""
    probabilities = np.full(round(duration_s / FRAME_S), 0.97, np.float32)
    for pause_s in pauses_s:
        first = round(pause_s / FRAME_S)
        probabilities[first : first + round(pause_length_s / FRAME_S)] = 0.45
    return probabilities


def test_long_speech_is_cut_in_its_pauses_and_no_more_often_than_needed():
    pauses_s = [5.0, 14.0, 22.0, 31.0, 44.0, 52.0, 58.0]
    probabilities = speech_with_pauses(pauses_s, 70.0)
    _, bounds = bounds_of(probabilities, DEFAULT, 0.0, len(probabilities) * FRAME_S)
    assert len(bounds) == 3
    for _, cut_s in bounds[:-1]:
        assert any(pause_s - 0.04 <= cut_s <= pause_s + 0.16 for pause_s in pauses_s)


def test_one_more_cut_is_taken_to_stay_out_of_words():
    probabilities = speech_with_pauses([15.0, 31.0], 45.0)  # two pieces would need a cut between 17 and 28 s
    _, bounds = bounds_of(probabilities, DEFAULT, 0.0, 45.0)
    assert [round(first) for first, _ in bounds] == [0, 15, 31]


def test_neighbours_merge_over_short_gaps_only_and_keep_the_silence():
    probabilities = np.concatenate([np.ones(100), np.zeros(25), np.ones(100), np.zeros(40), np.ones(100)]).astype(
        np.float32
    )
    _, bounds = bounds_of(probabilities, DEFAULT, 0.0, len(probabilities) * FRAME_S)
    assert bounds == [
        (0.0, pytest.approx(225 * FRAME_S + 0.2)),
        (pytest.approx(265 * FRAME_S - 0.2), pytest.approx(365 * FRAME_S)),
    ]


def test_padding_meets_in_the_middle_of_a_gap_that_is_too_short_for_both():
    config = SegmentationConfig(merge_gap_s=0.0, pad_s=0.5)
    probabilities = np.concatenate([np.ones(50), np.zeros(20), np.ones(50)]).astype(np.float32)
    _, (left, right) = bounds_of(probabilities, config, 0.0, 120 * FRAME_S)
    assert left[1] == right[0] == pytest.approx(60 * FRAME_S)


def test_segments_are_copies_of_their_samples_on_the_recordings_clock():
    rng = np.random.default_rng(0)
    samples = rng.integers(-3000, 3000, 16_000 * 4, dtype=np.int16)
    segments = cut_segments(samples, [(100.5, 101.5), (102.0, 103.75)], [], np.zeros(125, np.float32), 1, 100.0)
    assert [(s.channel, s.index, s.start_s, s.end_s) for s in segments] == [(1, 0, 100.5, 101.5), (1, 1, 102.0, 103.75)]
    assert np.array_equal(segments[1].samples, samples[32_000:60_000])
    assert not np.shares_memory(segments[0].samples, samples)


@pytest.mark.parametrize("snr_db", [0, 10, 30])
def test_the_signal_to_noise_ratio_is_estimated_from_speech_and_pauses(snr_db):
    rng = np.random.default_rng(0)
    samples = rng.normal(0, 100, 16_000 * 6)
    samples[512 * 50 : 512 * 100] += rng.normal(0, 100 * 10 ** (snr_db / 20), 512 * 50)
    probabilities = np.zeros(188, np.float32)
    probabilities[50:100] = 1
    intervals, bounds = bounds_of(probabilities, DEFAULT, 7.0, 6.0)
    (segment,) = cut_segments(samples.round().astype(np.int16), bounds, intervals, probabilities, 0, 7.0)
    assert segment.snr_db == pytest.approx(snr_db, abs=1)


def test_speech_without_any_pause_has_no_signal_to_noise_ratio():
    samples = np.random.default_rng(0).integers(-3000, 3000, 16_000 * 2, dtype=np.int16)
    probabilities = np.ones(63, np.float32)
    intervals, bounds = bounds_of(probabilities, DEFAULT, 0.0, 2.0)
    (segment,) = cut_segments(samples, bounds, intervals, probabilities, 0, 0.0)
    assert segment.snr_db is None


def test_a_segment_knows_how_sure_the_vad_was_of_its_raw_speech():
    samples = np.zeros(16_000 * 4, np.int16)
    probabilities = np.zeros(125, np.float32)
    probabilities[50:60], probabilities[60:70] = 0.6, 0.8
    intervals, bounds = bounds_of(probabilities, DEFAULT, 0.0, 4.0)
    (segment,) = cut_segments(samples, bounds, intervals, probabilities, 0, 0.0)
    assert segment.speech_probability == pytest.approx(0.7)
