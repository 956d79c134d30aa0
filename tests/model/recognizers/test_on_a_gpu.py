"""What only a GPU can show, each in seconds; skipped without one. Of the packages for tests only pytest is needed."""

import contextlib
import functools
import os
import signal
import threading
import time
import wave
from concurrent.futures import ThreadPoolExecutor
from difflib import SequenceMatcher
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.attention import SDPBackend
from transformers import FunAsrNanoFeatureExtractor

from funasr_beam.model.batching import BatchLimits, recognize_all, run_in_batches
from funasr_beam.model.checkpoint import DEMO_FOLDER, resolve
from funasr_beam.model.devices import computing_on
from funasr_beam.model.recognizers.base import RecognizerSettings, Utterance
from funasr_beam.model.recognizers.decoding.engine import DecodingEngine
from funasr_beam.model.recognizers.decoding.limits import EngineLimits
from funasr_beam.model.recognizers.families import load_recognizer
from funasr_beam.model.recognizers.features import FeatureExtractor
from funasr_beam.model.recognizers.fun_asr_nano import FunAsrNanoRecognizer
from funasr_beam.model.recognizers.greedy import decode_greedily
from funasr_beam.model.recognizers.loading import keep_attention_from_cudnn
from funasr_beam.model.recognizers.own_process.owner import OwnProcessRecognizer
from funasr_beam.model.recognizers.precision import has_bfloat16, let_products_be_tf32
from funasr_beam.model.records import RecognitionOptions
from funasr_beam.model.turns import Work
from tests.audio_doubles import sound
from tests.qwen3 import END_IDS, QWEN3_06B, make_prompts, tiny_qwen3

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU"),
]

CPU, GPU = torch.device("cpu"), torch.device("cuda")
SPEECH = Path(__file__).parents[3] / "samples" / "calls" / "en-mono.wav"
PIECE_S = 3.0
NEEDS_DEMO = pytest.mark.skipif(not DEMO_FOLDER.is_dir(), reason="the demo checkpoint has not been trained yet")
NEARLY_ALL = 0.9
"""Sums in another order tip a tie between two tokens now and then, and all that follows is another text."""


@pytest.fixture(autouse=True)
def kernels():
    """As they are chosen once a checkpoint has been loaded, for exact products."""
    keep_attention_from_cudnn()
    let_products_be_tf32(False)


def share_equal(found, wanted):
    return sum(one == other for one, other in zip(found, wanted, strict=True)) / len(wanted)


def wide_qwen3(dtype):
    """Layers as wide as those of the real model, two of them."""
    sizes = QWEN3_06B | {"num_hidden_layers": 2, "vocab_size": 4_096}
    return tiny_qwen3(**sizes).to(GPU, dtype)


def ask(model, count, longest=60):
    """Prompts and budgets of many lengths."""
    lengths = [3 + 11 * place % longest for place in range(count)]
    return make_prompts(model, lengths, 6), [40 - 3 * place % 29 for place in range(count)]


def token_ids(decoded):
    return [item.token_ids for item in decoded]


def test_features_are_those_of_a_cpu_but_for_rounding():
    batch = [sound(seconds, seed) for seed, seconds in enumerate((0.025, 0.5, 3.0, 29.0))]
    wanted, found = (FeatureExtractor(FunAsrNanoFeatureExtractor(), 32_768.0, device)(batch) for device in (CPU, GPU))
    assert found.frames == wanted.frames
    assert torch.equal(found.mask.cpu(), wanted.mask)
    torch.testing.assert_close(found.values.cpu(), wanted.values, atol=5e-3, rtol=0)


def test_samples_stay_until_they_are_copied_however_long_the_device_is_busy():
    extractor = FeatureExtractor(FunAsrNanoFeatureExtractor(), 32_768.0, GPU)
    batches = [[sound(4.0, seed)] for seed in range(24)]
    alone = [extractor(batch).values.clone() for batch in batches]
    matrix = torch.rand(4_096, 4_096, device=GPU)
    torch.cuda.synchronize()
    for _ in range(20):
        matrix = torch.mm(matrix, matrix).clamp_(0, 1)
    joined = [extractor._join(batch)[0] for batch in batches]  # nothing here waits
    again = [extractor(batch).values for batch in batches]
    for batch, samples, one, other in zip(batches, joined, alone, again, strict=True):
        assert torch.equal(samples[: len(batch[0])].cpu(), torch.from_numpy(batch[0]))
        assert torch.equal(one, other)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_attention_is_done_by_kernels_that_plan_for_no_shape(dtype):
    prompts = torch.empty(3, 5, 16, 77, 128, dtype=dtype, device=GPU).unbind()
    queries, mask = (torch.zeros(5, *shape, dtype=dtype, device=GPU) for shape in ((8, 2, 128), (1, 1, 192)))
    keys, values = torch.zeros(2, 5, 8, 256, 128, dtype=dtype, device=GPU)[:, :, :, :192].unbind()
    choices = [
        torch._fused_sdp_choice(*prompts, None, 0.0, True),
        torch._fused_sdp_choice(queries, keys, values, mask),
    ]
    assert set(choices) <= {SDPBackend.FLASH_ATTENTION.value, SDPBackend.EFFICIENT_ATTENTION.value}


@torch.inference_mode()
@pytest.mark.parametrize(("dtype", "at_least"), [(torch.float32, NEARLY_ALL), (torch.bfloat16, 0.0)])
def test_steps_of_real_width_write_what_a_loop_over_transformers_own_layers_writes(dtype, at_least):
    model = wide_qwen3(dtype)
    prompts, budgets = ask(model, 40)
    wanted = decode_greedily(model, prompts, budgets, END_IDS)
    found = DecodingEngine(model, END_IDS, EngineLimits(max_rows=16)).decode(prompts, budgets)
    assert share_equal(token_ids(found), token_ids(wanted)) >= at_least
    first = [(one.token_ids[:1], other.token_ids[:1]) for one, other in zip(found, wanted, strict=True)]
    assert sum(one == other for one, other in first) >= 0.6 * len(first)
    assert all(np.isfinite(item.logprobs).all() for item in found)


def test_prompts_of_ever_new_lengths_cost_nothing_extra():
    model = wide_qwen3(torch.bfloat16)
    engine = DecodingEngine(model, frozenset({-1}), EngineLimits(max_rows=8))
    lengths = range(20, 56)
    prompts = {length: make_prompts(model, [length] * 3, length) for length in [*lengths, 60]}
    engine.decode(prompts[60], [2] * 3)
    torch.cuda.synchronize()
    began = time.perf_counter()
    for length in lengths:
        engine.decode(prompts[length], [2] * 3)
    took_s = time.perf_counter() - began
    assert took_s < 0.1 * len(lengths)


def test_others_may_work_on_the_device_while_steps_are_recorded():
    model = tiny_qwen3().to(GPU)
    prompts, budgets = ask(model, 40)
    quiet = DecodingEngine(model, END_IDS, EngineLimits(max_rows=16)).decode(prompts, budgets)
    extractor, is_over, failures = FeatureExtractor(FunAsrNanoFeatureExtractor(), 32_768.0, GPU), threading.Event(), []

    def disturb(seed):
        try:
            extractor([sound(0.1 * (1 + seed % 17), seed)]).values.cpu()
        except RuntimeError as error:
            failures.append(error)

    def disturb_again_and_again():
        seed = 0
        while not is_over.is_set():  # new threads: each takes handles of its own
            threads = [threading.Thread(target=disturb, args=(seed + one,)) for one in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            seed += 4

    other = threading.Thread(target=disturb_again_and_again)
    other.start()
    try:
        for _ in range(5):
            found = DecodingEngine(model, END_IDS, EngineLimits(max_rows=16)).decode(prompts, budgets)
            assert share_equal(token_ids(found), token_ids(quiet)) >= NEARLY_ALL
    finally:
        is_over.set()
        other.join()
    assert not failures
    assert torch.cuda.current_stream() == torch.cuda.default_stream()


def test_where_memory_runs_out_parts_are_decoded_and_the_texts_stay():
    model = wide_qwen3(torch.float32)
    (longest,) = make_prompts(model, [1_500], 1)
    prompts = [longest[place:] for place in range(64)]  # 25 MB for the keys and values of each
    engine = DecodingEngine(model, END_IDS, EngineLimits(1 << 34, 64, 2_048))
    asked = []

    def decode(places):
        asked.append(len(places))
        return engine.decode([prompts[place] for place in places], [20] * len(places))

    wanted = [item for first in range(0, 64, 16) for item in decode(range(first, first + 16))]
    engine.release()
    asked.clear()
    with at_most_more(800 << 20):
        found = run_in_batches(decode, [1.0] * 64, BatchLimits(100.0, 64))
    assert asked[0] == 64
    assert len(asked) > 2
    assert share_equal(token_ids(found), token_ids(wanted)) >= NEARLY_ALL
    assert torch.cuda.current_stream() == torch.cuda.default_stream()


@contextlib.contextmanager
def at_most_more(size):
    """As if the device had only so many bytes left."""
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(GPU).total_memory
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + size) / total)
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


@pytest.fixture(scope="module")
def speech():
    """Pieces of a call."""
    with wave.open(str(SPEECH)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)
        step = round(PIECE_S * file.getframerate())
    starts = range(0, len(samples) - step, step)
    return [Utterance(samples[start : start + step], RecognitionOptions("en")) for start in starts]


def demo(device, **settings):
    return FunAsrNanoRecognizer.load(resolve("demo"), RecognizerSettings(device, **settings))


def hear(recognizer, utterances):
    return recognize_all(recognizer, utterances, recognizer.batch_limits)


def texts(hypotheses):
    return [item.text for item in hypotheses]


@pytest.fixture(scope="module")
def heard_by_a_cpu(speech):
    return hear(demo("cpu"), speech)


@NEEDS_DEMO
def test_in_float32_a_gpu_hears_what_a_cpu_hears_and_when(speech, heard_by_a_cpu):
    found = hear(demo("cuda", llm_precision="float32"), speech)
    assert share_equal(texts(found), texts(heard_by_a_cpu)) >= 0.8
    words = [
        (word, other)
        for one, two in zip(found, heard_by_a_cpu, strict=True)
        if one.text == two.text and two.words
        for word, other in zip(one.words or (), two.words, strict=True)
    ]
    assert len(words) > 20
    assert all(abs(word.start_s - other.start_s) < 0.07 for word, other in words)


@NEEDS_DEMO
def test_in_bfloat16_too_and_from_several_threads(speech, heard_by_a_cpu):
    recognizer = demo("cuda")
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda place: hear(recognizer, speech[place:] + speech[:place]), range(4)))
    for place, one in enumerate(found):
        said = " ".join(texts(one[len(one) - place :] + one[: len(one) - place]))
        assert SequenceMatcher(None, said, " ".join(texts(heard_by_a_cpu))).ratio() > 0.9


@NEEDS_DEMO
def test_its_encoder_is_in_tf32_only_beside_a_language_model_that_rounds_more(speech):
    exact = demo("cuda", llm_precision="float32")
    assert not torch.backends.cuda.matmul.allow_tf32
    features = exact._extract_features(speech[:4])
    with torch.inference_mode():
        wanted, _ = exact._encode_audio(features)
        demo("cuda")
        assert torch.backends.cuda.matmul.allow_tf32 is has_bfloat16(GPU)
        found, _ = exact._encode_audio(features)
    for one, other in zip(found, wanted, strict=True):
        assert (one - other).norm() < 0.01 * other.norm()


@NEEDS_DEMO
def test_in_a_process_of_its_own_it_hears_the_same_and_a_new_one_takes_over(speech):
    settings = RecognizerSettings("cuda:0")
    apart = OwnProcessRecognizer(functools.partial(load_recognizer, "demo", settings), settings.clock, "cuda:0")
    wanted = texts(hear(demo("cuda"), speech))
    try:
        for _ in range(2):
            work = Work()
            assert share_equal(texts(hear(apart, speech)), wanted) >= NEARLY_ALL
            assert 0 < work.gpu_s <= work.worked_s
            os.kill(apart.pid, signal.SIGKILL)
    finally:
        apart.close()


@NEEDS_DEMO
@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs")
def test_two_gpus_at_once_hear_what_one_hears(speech):
    loaded = {}
    for device in ("cuda:0", "cuda:1"):  # one by one: transformers changes torch for as long as it loads
        with computing_on(device):
            loaded[device] = demo(device)

    def listen(device):
        with computing_on(device):
            return texts(hear(loaded[device], speech))

    alone = listen("cuda:0")
    with ThreadPoolExecutor(2) as pool:
        for found in pool.map(listen, loaded):
            assert share_equal(found, alone) >= NEARLY_ALL
