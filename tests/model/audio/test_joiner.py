"""Frames that are joined lie where they would lie one by one."""

from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from funasr_beam.model.audio.canvas import Canvas, Clock
from funasr_beam.model.audio.container import AudioShape
from funasr_beam.model.audio.joiner import Joiner

RATE = 16_000
LENGTH = 40_000


def frame(pts, count=400, kind="fltp", channels=1, rate=RATE, value=1.0):
    layout = {1: "mono", 2: "stereo", 8: "7.1"}[channels]
    dtype = {"flt": np.float32, "s16": np.int16}[kind.removesuffix("p")]
    shape = (channels, count) if kind.endswith("p") else (1, channels * count)
    made = av.AudioFrame.from_ndarray(np.full(shape, value, dtype), kind, layout)
    made.sample_rate, made.pts, made.time_base = rate, pts, Fraction(1, RATE)
    return made


def laid(frames, *, channels=1, joined=True, ticks=1, shifts=()):
    """The canvas after (pts, count, value) frames, joined or one by one."""
    shape, clock = AudioShape(RATE, channels), Clock(RATE, (1, ticks), 0)
    canvas = Canvas(shape, clock, 1000, LENGTH)
    target = Joiner(canvas, shape, clock) if joined else canvas
    for number, one in enumerate(frames):
        target.lay(one, shifts[number] if shifts else 0.0, 0.5)
    if joined:
        target.flush()
    return canvas


def same(make, **options):
    one, other = laid(make(), **options), laid(make(), joined=False, **options)
    return np.array_equal(one.samples, other.samples) and (one.covered, one.flaws) == (other.covered, other.flaws)


steps = st.lists(
    st.tuples(st.sampled_from([0, 0, 0, 0, 1, -1, 3, 700, -500, None]), st.integers(1, 900)), min_size=1, max_size=80
)


@given(steps, st.sampled_from([1, 2]), st.integers(-2000, 3000))
@example([(0, 1000), (3, 1), (1, 8), (0, 1), (0, 7)], 1, 0)  # one sample is too short to be laid four off its stamp
def test_joined_frames_lie_where_single_ones_lie(steps, channels, start):
    def make():
        pts, frames = start, []
        for number, (jump, count) in enumerate(steps):
            pts += jump or 0
            frames.append(frame(None if jump is None else pts, count, channels=channels, value=number / 100))
            pts += count
        return frames

    assert same(make, channels=channels)


@pytest.mark.parametrize(
    ("middle", "channels"),
    [
        ({"kind": "s16", "value": 7}, 1),
        ({"rate": 8_000}, 1),
        ({"channels": 2}, 1),
        ({"channels": 1}, 2),
        ({"channels": 8, "kind": "flt"}, 1),
    ],
)
def test_a_frame_of_another_kind_is_laid_by_itself(middle, channels):
    def make():
        kinds = [{}, {}, middle, middle, {}, {}]
        return [frame(1000 + 400 * n, **({"channels": channels} | kind)) for n, kind in enumerate(kinds)]

    assert same(make, channels=channels)


def test_eight_channels_lie_where_they_lie_one_by_one():
    assert same(lambda: [frame(1000 + 400 * n, kind="flt", channels=8, value=n) for n in range(5)], channels=8)


def test_ticks_that_are_no_whole_part_of_a_sample_join_nothing():
    shape, clock = AudioShape(RATE, 1), Clock(RATE, (16, 1), 0)  # milliseconds
    canvas = Canvas(shape, clock, 0, LENGTH)
    joiner = Joiner(canvas, shape, clock)
    joiner.lay(frame(0, 400), 0.0, 0.0)
    joiner.lay(frame(25, 400), 0.0, 0.0)
    assert canvas.covered == [(0, 800)]  # at once, without a flush


def test_finer_ticks_are_counted():
    assert same(lambda: [frame(10 * (1000 + 400 * n), value=n) for n in range(9)], ticks=10)


def test_a_clock_that_is_set_anew_ends_a_run():
    shifts = [0.0, 0.0, 0.05, 0.05, 0.0]
    assert same(lambda: [frame(1000 + 400 * n, value=n + 1) for n in range(5)], shifts=shifts)


def test_a_full_canvas_is_seen_without_a_flush():
    shape, clock = AudioShape(RATE, 1), Clock(RATE, (1, 1), 0)
    canvas = Canvas(shape, clock, 0, LENGTH)
    joiner = Joiner(canvas, shape, clock)
    for number in range(LENGTH // 400):
        assert not canvas.is_full
        joiner.lay(frame(400 * number), 0.0, 0.0)
    assert canvas.is_full
