"""Frames lie where their time stamps say, jitter aside."""

from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from funasr_beam.model.audio.canvas import Canvas, Clock
from funasr_beam.model.audio.container import AudioShape

RATE = 16_000


def canvas(channels: int = 1, start: int = 0, length: int = 10_000) -> Canvas:
    return Canvas(AudioShape(RATE, channels), Clock(RATE, (1, 1), 0), start, length)


def frame(value: float, pts: int | None, count: int = 1000, kind: str = "s16p", **changes: int) -> av.AudioFrame:
    channels = changes.get("channels", 1)
    dtype = {"s16": np.int16, "flt": np.float32, "dbl": np.float64, "u8": np.uint8, "s32": np.int32}[
        kind.removesuffix("p")
    ]
    shape = (channels, count) if kind.endswith("p") else (1, channels * count)
    made = av.AudioFrame.from_ndarray(np.full(shape, value, dtype), kind, {1: "mono", 2: "stereo"}[channels])
    made.sample_rate, made.pts, made.time_base = changes.get("rate", RATE), pts, Fraction(1, RATE)
    return made


@given(st.integers(-(2**40), 2**40), st.integers(1, 10**6), st.integers(1_000, 192_000), st.integers(-1000, 1000))
def test_the_clock_rounds_to_the_nearest_sample(ticks, per_second, rate, zero):
    tick = Fraction(1, per_second) * rate
    clock = Clock(rate, (tick.numerator, tick.denominator), zero)
    assert abs(clock.native(ticks) + zero - ticks * tick) <= Fraction(1, 2)


def test_frames_lie_at_their_stamps_and_what_sticks_out_is_cut():
    board = canvas(start=500, length=2000)
    board.lay(frame(7, 0), 0.0, 0.0)
    board.lay(frame(8, 1000), 0.0, 0.0)
    board.lay(frame(9, 2000), 0.0, 0.0)
    assert board.is_full
    assert board.covered == [(500, 2500)]
    assert [int(board.samples[0, at]) for at in (0, 499, 500, 1499, 1500)] == [7, 7, 8, 8, 9]


def test_a_stamp_off_by_a_little_is_jitter_and_one_off_by_much_is_a_gap():
    board = canvas()
    board.lay(frame(1, 0), 0.0, 0.0)
    board.lay(frame(2, 1003), 0.0, 0.0)
    board.lay(frame(3, 5000), 0.0, 0.0)
    assert board.covered == [(0, 2000), (5000, 6000)]
    assert board.flaws == 0


def test_time_that_runs_backwards_is_a_flaw():
    board = canvas()
    board.lay(frame(1, 4000), 0.0, 0.0)
    board.lay(frame(2, 0), 0.0, 0.0)
    assert board.flaws == 1


def test_a_frame_without_a_stamp_follows_the_one_before():
    board = canvas()
    board.lay(frame(1, None), 0.0, 0.25)
    board.lay(frame(2, None), 0.0, 9.9)
    assert board.covered == [(4000, 6000)]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("s16", 1000),
        ("s16p", 1000),
        ("s32", 1000 << 16),
        ("flt", 1000 / 32_768),
        ("fltp", 1000 / 32_768),
        ("dbl", 1000 / 32_768),
        ("u8", 128 + 1000 // 256),
    ],
)
def test_every_sample_format_comes_to_the_range_of_int16(kind, value):
    board = canvas(channels=2)
    board.lay(frame(value, 0, kind=kind, channels=2), 0.0, 0.0)
    assert board.samples[:, :1000] == pytest.approx(1000, abs=256 if kind == "u8" else 0.01)


def test_a_change_of_channels_or_rate_fits_in():
    board = canvas(channels=2)
    board.lay(frame(5, 0), 0.0, 0.0)
    board.lay(frame(6, 1000, rate=8_000, channels=2), 0.0, 0.0)
    assert board.covered == [(0, 3000)]
    assert (board.samples[:, :1000] == 5).all()
    assert board.samples[:, 1100:2900] == pytest.approx(6, abs=0.2)


def test_a_frame_of_an_impossible_rate_is_a_flaw_and_not_a_crash():
    board = canvas()
    board.lay(frame(5, 0, rate=1), 0.0, 0.0)
    assert (board.flaws, board.covered) == (1, [])


def test_samples_that_are_no_numbers_become_silence_and_a_flaw():
    board = canvas()
    board.lay(frame(float("nan"), 0, kind="flt"), 0.0, 0.0)
    board.lay(frame(float("inf"), 1000, kind="flt"), 0.0, 0.0)
    board.settle()
    assert board.flaws == 1
    assert not board.samples.any()
