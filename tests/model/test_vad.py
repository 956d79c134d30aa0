"""The VAD gives what silero's own model gives, whatever the block, the level and the thread."""

import io
import subprocess
import wave
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import distribution

import numpy as np
import pytest
import soxr
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from funasr_beam.model.silero import FRAME_SAMPLES, SileroNetwork, vad_version
from funasr_beam.model.vad import SpeechDetector, frame_energies, shared_detector


@pytest.fixture
def four_torch_threads():
    """As on a machine with four cores, where nothing is said."""
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def detector():
    return SpeechDetector()


@pytest.fixture(scope="module")
def speech(espeak):
    """Two sentences with pauses, about 12 s, loud and clean, int16 at 16 kHz."""
    parts = [spoken("the quick brown fox jumps over the lazy dog"), spoken("and my number is five five two one")]
    return np.concatenate([np.zeros(16_000, np.int16), parts[0], np.zeros(40_000, np.int16), parts[1]])


def spoken(text):
    out = subprocess.run(["espeak-ng", "--stdout", text], capture_output=True, check=True).stdout
    with wave.open(io.BytesIO(out)) as file:
        rate = file.getframerate()
    samples = np.frombuffer(out[44:], np.int16)
    return soxr.resample(samples, rate, 16_000)


def noise(seconds, amplitude, seed=0):
    return np.random.default_rng(seed).normal(0, amplitude, int(seconds * 16_000)).round().astype(np.int16)


def reference_probabilities(samples):
    path = next(file for file in distribution("silero-vad").files if file.name == "silero_vad.jit").locate()
    model = torch.jit.load(str(path))
    padded = np.pad(samples, (0, -len(samples) % FRAME_SAMPLES)).astype(np.float32) / 32768
    with torch.inference_mode():
        return np.array([model(torch.from_numpy(frame[None]), 16_000).item() for frame in padded.reshape(-1, 512)])


def test_probabilities_are_those_of_the_wheels_own_model_frame_by_frame(detector, speech):
    noisy = (speech + noise(len(speech) / 16_000, 200)[: len(speech)]).astype(np.int16)
    for samples in (speech, noisy):
        assert np.abs(detector.speech_probabilities([samples])[0] - reference_probabilities(samples)).max() <= 1e-4


def test_noise_and_tones_give_what_the_wheels_own_model_gives(detector):
    tone = (8000 * np.sin(np.arange(32_123) * 0.05)).astype(np.int16)
    for samples in (noise(3, 3000), tone):
        assert np.abs(detector.speech_probabilities([samples])[0] - reference_probabilities(samples)).max() <= 1e-4


@pytest.mark.parametrize("block_frames", [1, 7, 100, 512, 10_000])
def test_the_block_does_not_change_the_result(detector, speech, block_frames):
    expected = detector.speech_probabilities([speech])[0]
    assert np.allclose(detector.speech_probabilities([speech], block_frames)[0], expected, atol=1e-4)


@settings(max_examples=20, deadline=None)
@given(n=st.integers(0, 5000))
def test_there_is_one_probability_for_every_begun_frame(n):
    probabilities = shared_detector().speech_probabilities([noise(1, 500)[:n]])[0]
    assert probabilities.shape == (-(-n // FRAME_SAMPLES),)
    assert probabilities.dtype == np.float32
    assert ((probabilities >= 0) & (probabilities <= 1)).all()


@pytest.mark.parametrize("level_db", [-30, -45, -55])
def test_very_quiet_speech_is_heard_like_loud_speech(detector, speech, level_db):
    loud = detector.speech_probabilities([speech])[0] > 0.5
    quiet = detector.speech_probabilities([(speech * 10 ** (level_db / 20)).round().astype(np.int16)])[0] > 0.5
    assert (loud == quiet).mean() > 0.95


def test_one_short_loud_sentence_in_a_quiet_recording_is_not_raised(detector, speech):
    quiet_room = noise(60, 10)
    quiet_room[: len(speech)] += speech
    expected = reference_probabilities(quiet_room[: len(speech)])
    assert np.abs(detector.speech_probabilities([quiet_room])[0][: len(expected) - 1] - expected[:-1]).max() <= 1e-4


def test_long_digital_silence_is_skipped_and_speech_after_it_is_heard_as_before(detector, speech):
    samples = np.concatenate([speech, np.zeros(16_000 * 20, np.int16), speech])
    expected, heard = reference_probabilities(samples), detector.speech_probabilities([samples])[0]
    skipped = len(speech) // FRAME_SAMPLES + 320
    assert np.abs(heard[:skipped] - expected[:skipped]).max() <= 1e-4
    assert ((heard > 0.5) != (expected > 0.5)).sum() <= 2


def test_silence_holds_no_speech(detector):
    assert detector.speech_probabilities([np.zeros(16_000 * 600, np.int16)])[0].max() < 0.1


def test_noise_of_one_unit_holds_no_speech(detector):
    assert detector.speech_probabilities([noise(20, 1)])[0].max() < 0.5


def test_threads_share_one_detector(detector, speech):
    expected = detector.speech_probabilities([speech])[0]
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda one: detector.speech_probabilities([one])[0], [speech] * 8))
    assert all(np.allclose(result, expected, atol=1e-5) for result in results)


@pytest.mark.usefixtures("four_torch_threads")
def test_torchs_threads_are_left_to_the_models(detector, monkeypatch):
    def encode(network, work):
        at_work.append(torch.get_num_threads())
        return inner(network, work)

    at_work, inner = [], SileroNetwork.encode
    monkeypatch.setattr(SileroNetwork, "encode", encode)
    sound = noise(20, 1)
    with ThreadPoolExecutor(2) as pool:  # threads that have never asked torch anything, and then have
        found = list(pool.map(lambda one: detector.speech_probabilities([one])[0], [sound] * 6))
        assert list(pool.map(lambda _: torch.get_num_threads(), range(4))) == [4] * 4
    assert set(at_work) == {1}
    torch.set_num_threads(1)
    assert all((one == detector.speech_probabilities([sound])[0]).all() for one in found)


@pytest.mark.usefixtures("four_torch_threads")
def test_loading_leaves_torchs_threads_alone():
    SpeechDetector()
    assert torch.get_num_threads() == 4


def test_the_version_names_the_package():
    assert vad_version() == f"silero-vad {distribution('silero-vad').version}"


def test_frame_energies_are_mean_squares():
    samples = noise(1, 3000)
    expected = [np.mean(samples[i : i + 512].astype(float) ** 2) for i in range(0, len(samples), 512)]
    assert np.allclose(frame_energies(samples), expected)
