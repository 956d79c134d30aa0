import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import FunAsrNanoFeatureExtractor

from funasr_beam.model.recognizers.features import FeatureExtractor

ORIGINAL = FunAsrNanoFeatureExtractor()
CPU = torch.device("cpu")


def sounds(lengths, seed=0):
    """Noise of every loudness, some of it digital silence."""
    random = np.random.default_rng(seed)
    made = [random.normal(0, 10 ** random.uniform(0, 4), n).clip(-32768, 32767).astype(np.int16) for n in lengths]
    for samples in made[::3]:
        samples[: len(samples) // 2] = 0
    return made


def originals(batch, scale):
    """What transformers' own extractor makes of it."""
    waveforms = [samples.astype(np.float32) / scale for samples in batch]
    return ORIGINAL(waveforms, sampling_rate=16_000, padding=True, return_tensors="pt")


def assert_equal(batch, scale=1.0):
    wanted, found = originals(batch, scale), FeatureExtractor(ORIGINAL, scale, CPU)(batch)
    assert torch.equal(found.values, wanted["input_features"])
    assert torch.equal(found.mask, wanted["input_features_mask"])
    assert list(found.frames) == wanted["input_features_mask"].sum(-1).tolist()


@pytest.mark.parametrize("scale", [1.0, 32_768.0])
def test_features_are_those_of_the_checkpoints_extractor_to_the_last_bit_at_every_length(scale):
    for samples in sounds([*range(400, 2_500, 53), 16_000, 100_000, 480_000]):
        assert_equal([samples], scale)


@given(st.lists(st.integers(400, 20_000), min_size=1, max_size=8), st.integers(0, 99))
@settings(max_examples=30)
def test_features_of_a_batch_are_those_of_the_checkpoints_extractor_to_the_last_bit(lengths, seed):
    assert_equal(sounds(lengths, seed))


def test_many_threads_change_no_bit():
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert_equal(sounds([400, 1_400, 9_000, 250_000]))
    finally:
        torch.set_num_threads(threads)


def test_all_windows_at_once_as_on_a_gpu_give_the_same_but_for_the_order_of_sums(monkeypatch):
    monkeypatch.setattr("funasr_beam.model.recognizers.features._GPU_BLOCK", 300)
    batch = sounds([400, 5_000, 16_000, 77_777])
    extractor = FeatureExtractor(ORIGINAL, 32_768.0, CPU)
    one_by_one = extractor(batch).values
    monkeypatch.setattr(extractor, "_one_by_one", False)
    at_once = extractor(batch).values
    torch.testing.assert_close(at_once, one_by_one, atol=1e-4, rtol=0)


def test_samples_stay_as_they_are():
    batch = sounds([5_000, 400])
    before = [samples.copy() for samples in batch]
    FeatureExtractor(ORIGINAL, 1.0, CPU)(batch)
    assert all(np.array_equal(one, other) for one, other in zip(before, batch, strict=True))
