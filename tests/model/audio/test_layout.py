"""One voice, two, or the same one twice."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from funasr_beam.model.audio.decode import decode_range
from funasr_beam.model.audio.layout import ChannelLayout, channel_evidence, recording_layout
from funasr_beam.model.audio.source import MediaSource
from tests.media import AAC, MP3, OPUS, Encoding, speech_like, write_media

RATE = 16_000


def layout_of(*channels: np.ndarray) -> ChannelLayout:
    return channel_evidence(np.stack(channels).astype(np.int16)).layout


def voice(seed: int, duration_s: float = 20.0) -> np.ndarray:
    return speech_like(duration_s, RATE, seed=seed)[0]


def test_one_channel_is_mono_whatever_is_in_it():
    assert layout_of(voice(1)) == ChannelLayout.MONO
    assert layout_of(np.zeros(1000)) == ChannelLayout.MONO
    assert layout_of(np.zeros(0)) == ChannelLayout.MONO


def test_two_voices_are_stereo_even_when_they_take_turns():
    first, second = voice(1), voice(2)
    assert layout_of(first, second) == ChannelLayout.STEREO
    first[: len(first) // 2], second[len(second) // 2 :] = 0, 0
    assert layout_of(first, second) == ChannelLayout.STEREO


def test_cross_talk_of_20_percent_is_still_stereo():
    first, second = voice(1).astype(float), voice(2).astype(float)
    assert layout_of(first + 0.2 * second, second + 0.2 * first) == ChannelLayout.STEREO


@pytest.mark.parametrize("gain", [1.0, 0.5, 0.1, -1.0, -0.3])
def test_the_same_voice_twice_is_dual_mono_at_any_gain_and_polarity(gain):
    assert layout_of(voice(1), gain * voice(1)) == ChannelLayout.DUAL_MONO


def test_noise_30_db_below_is_no_difference_and_10_db_below_is():
    first, noise = voice(1).astype(float), np.random.default_rng(1).standard_normal(20 * RATE)
    level = np.sqrt((first**2).mean())
    assert layout_of(first, first + 10 ** (-30 / 20) * level * noise) == ChannelLayout.DUAL_MONO
    assert layout_of(first, first + 10 ** (-10 / 20) * level * noise) == ChannelLayout.STEREO


def test_a_channel_that_is_silent_alone_makes_stereo_and_silence_everywhere_makes_dual_mono():
    assert layout_of(voice(1), np.zeros(20 * RATE)) == ChannelLayout.STEREO
    assert layout_of(np.zeros(RATE), np.zeros(RATE)) == ChannelLayout.DUAL_MONO


@pytest.mark.parametrize(
    ("name", "encoding", "rate"),
    [
        ("a.mp3", Encoding("libmp3lame", bit_rate=64_000), 44_100),
        ("b.mp3", MP3, 16_000),
        ("a.m4a", AAC, 44_100),
        ("a.opus", OPUS, 48_000),
    ],
)
def test_lossy_codecs_keep_the_decision(tmp_path, name, encoding, rate):
    first, second = speech_like(10, rate, 2, seed=4)
    for right, layout in ((first, ChannelLayout.DUAL_MONO), (second, ChannelLayout.STEREO)):
        path = write_media(tmp_path / name, np.stack([first, right]), rate, encoding)
        assert channel_evidence(decode_range(MediaSource(str(path))).samples).layout == layout


def test_a_silent_span_says_nothing_against_the_others():
    same = np.stack([voice(1), voice(1)])
    quiet = np.random.default_rng(0).integers(-3, 3, same.shape).astype(np.int16)
    evidence = [channel_evidence(samples) for samples in (quiet, same, quiet)]
    assert recording_layout(evidence) == ChannelLayout.DUAL_MONO


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 40), max_size=4), st.integers(1, 3), st.integers(0, 5))
def test_evidence_of_spans_adds_up_to_that_of_the_whole(cuts, channels, seed):
    samples = speech_like(1.0, RATE, channels, seed=seed)
    borders = [0, *sorted(cut * 400 for cut in cuts), samples.shape[1]]
    parts = [channel_evidence(samples[:, a:b]) for a, b in pairwise(borders)]
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    whole = channel_evidence(samples)
    assert total.frames == whole.frames
    assert total.energies == pytest.approx(whole.energies)
    assert total.products == pytest.approx(whole.products)
    assert recording_layout(parts) == whole.layout


def test_evidence_of_different_recordings_does_not_mix():
    with pytest.raises(ValueError, match="does not add up"):
        channel_evidence(speech_like(1, RATE, 1)) + channel_evidence(speech_like(1, RATE, 2))
    with pytest.raises(ValueError, match="no evidence"):
        recording_layout([])
    with pytest.raises(ValueError, match="without a channel"):
        channel_evidence(np.zeros((0, 100), np.int16))
