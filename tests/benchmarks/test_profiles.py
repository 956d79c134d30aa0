from dataclasses import replace

import pytest

from benchmarks.profiles import PROFILES, durations, text_tokens, utterances
from funasr_beam.model.batching import padded_seconds
from funasr_beam.model.recognizers.fun_asr_nano import CPU_CALL, GPU_CALL
from funasr_beam.model.records import SAMPLE_RATE


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_is_as_long_as_asked_and_its_segments_as_it_says(name):
    lengths = durations(name, 0.5)
    assert 1800 <= sum(lengths) < 1830
    assert all(any(low <= length <= high for low, high in PROFILES[name]) for length in lengths)
    assert durations(name, 0.5) == lengths
    assert name == "30 s" or durations(name, 0.5, seed=1) != lengths


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("call", [CPU_CALL, GPU_CALL])
def test_padding_of_an_hour_stays_below_a_tenth(name, call):
    lengths = durations(name, 1.0)
    for part_s in (60.0, 240.0, 960.0):
        limits = replace(call, part_padded_s=part_s)
        assert padded_seconds(lengths, limits) / sum(lengths) - 1 <= 0.10


def test_segments_are_as_long_as_asked_and_no_two_are_alike():
    heard = utterances([2.0, 2.0, 30.0])
    assert [len(item.samples) for item in heard] == [2 * SAMPLE_RATE, 2 * SAMPLE_RATE, 30 * SAMPLE_RATE]
    assert not (heard[0].samples == heard[1].samples).all()
    assert abs(heard[2].samples).max() > 500


def test_texts_are_as_long_as_those_of_speech():
    assert text_tokens(30.0) == 135
