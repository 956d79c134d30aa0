"""Technical quality of audio."""

import numpy as np
import pytest
import soxr
from hypothesis import given
from hypothesis import strategies as st

from funasr_beam.model.audio.quality import bandwidth_hz, clipping_share

RATE = 16_000


def noise(seconds=3.0, level=1000, seed=0):
    return np.random.default_rng(seed).normal(0, level, round(RATE * seconds))


def as_samples(wave):
    return np.round(np.clip(wave, -32768, 32767)).astype(np.int16)


@given(st.integers(0, 400))
def test_the_share_of_clipped_samples_is_counted(clipped):
    samples = np.full(1000, 500, np.int16)
    samples[:clipped] = 32767
    samples[: clipped // 2] = -32768
    assert clipping_share(samples) == clipped / 1000


def test_a_wave_that_was_too_loud_is_clipped_and_another_is_not():
    wave = 20_000 * np.sin(np.arange(RATE) / 5)
    assert clipping_share(as_samples(wave)) == 0
    assert clipping_share(as_samples(3 * wave)) > 0.5


@pytest.mark.parametrize("rate", [4_000, 8_000, 11_025, 16_000])
@pytest.mark.parametrize("level", [30, 3000])
def test_the_bandwidth_is_that_of_the_source_whatever_the_file_says(rate, level):
    wave = soxr.resample(soxr.resample(noise(level=level), RATE, rate), rate, RATE)
    assert bandwidth_hz(as_samples(wave)) == pytest.approx(rate / 2, abs=500)


def test_digital_silence_has_no_bandwidth():
    assert bandwidth_hz(np.zeros(RATE, np.int16)) is None
    assert bandwidth_hz(np.zeros(0, np.int16)) is None


def test_one_analysis_window_is_enough():
    assert bandwidth_hz(as_samples(noise(0.025))) == 8000
