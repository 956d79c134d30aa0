"""The channel: levels, noise at the asked-for ratio, and what a telephone leaves of a sound."""

import numpy as np
import pytest

from funasr_beam.model.demo_speech.channel import (
    SAMPLE_RATE,
    Channel,
    apply_channel,
    decode_mulaw,
    encode_mulaw,
    mulaw_phone,
    noise,
)


def tone(hertz: float, seconds: float = 1.0) -> np.ndarray:
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return (0.5 * np.sin(2 * np.pi * hertz * time)).astype(np.float32)


def power(samples: np.ndarray) -> float:
    return float(np.mean(np.square(samples, dtype=np.float64)))


@pytest.mark.parametrize("brown", [False, True])
def test_noise_has_the_ratio_that_was_asked_for(brown: bool) -> None:
    speech = tone(300)
    added = noise(speech, 15.0, brown, np.random.default_rng(0))
    assert 10 * np.log10(power(speech) / power(added)) == pytest.approx(15.0, abs=0.1)


def test_a_gain_scales_the_samples() -> None:
    quiet = apply_channel(tone(300), Channel(gain_db=-20), np.random.default_rng(0))
    assert np.allclose(quiet, tone(300) / 10, atol=1e-6)


def test_a_phone_keeps_low_tones_and_loses_high_ones() -> None:
    assert power(mulaw_phone(tone(1000))) == pytest.approx(power(tone(1000)), rel=0.05)
    assert power(mulaw_phone(tone(6000))) < 1e-4


def test_mu_law_is_fine_for_quiet_samples_and_coarse_for_loud_ones() -> None:
    samples = np.linspace(-1, 1, 2001, dtype=np.float32)
    errors = np.abs(decode_mulaw(encode_mulaw(samples)) - samples)
    assert errors[np.abs(samples) < 0.01].max() < 0.001
    assert errors.max() < 0.03


def test_digital_silence_stays_silent_without_noise() -> None:
    silence = np.zeros(SAMPLE_RATE, dtype=np.float32)
    assert not apply_channel(silence, Channel(phone=True), np.random.default_rng(0)).any()
