"""The same numbers and the same texts as upstream's own implementation, with the same random weights."""

import numpy as np
import pytest

from funasr_beam.model.conversion.architecture import Architecture
from funasr_beam.model.conversion.convert import convert
from funasr_beam.model.conversion.tensors import original_shapes
from funasr_beam.model.recognizers.fun_asr_nano import count_audio_tokens
from tests.audio_doubles import sound
from tests.original_checkpoint import (
    Recipe,
    describe,
    describe_llm,
    full_size_tokenizer,
    write_original,
    write_tiktoken,
)
from tests.parity import PROMPTS, Ours, compare_stages
from tests.upstream import Upstream, build_empty

MAX_TOKENS = 24


def quiet_sound(duration_s, seed):
    """Digital silence, noise of one step, and tones: what lies below the floor of a logarithm somewhere."""
    samples = sound(duration_s, seed)
    third = len(samples) // 3
    samples[:third] = 0
    samples[third : 2 * third] = np.random.default_rng(seed).integers(-1, 2, third)
    return samples


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return write_original(tmp_path_factory.mktemp("original") / "Fun-ASR-Tiny", Recipe(layers=(4, 2)))


@pytest.fixture(scope="module")
def upstream(original):
    return Upstream(original)


@pytest.fixture(scope="module")
def ours(original, tmp_path_factory):
    return Ours(convert(original, tmp_path_factory.mktemp("converted") / "tiny").output, MAX_TOKENS)


def test_the_published_names_and_shapes_are_those_of_upstreams_own_model(tmp_path):
    describe_llm(Architecture(), full_size_tokenizer()).save_pretrained(tmp_path / "Qwen3-0.6B")
    write_tiktoken(tmp_path / "multilingual.tiktoken")
    theirs = build_empty(describe(Architecture()), tmp_path).state_dict()
    shapes = original_shapes(Architecture(), with_ctc=True)
    assert {name: tuple(tensor.shape) for name, tensor in theirs.items()} == shapes


@pytest.mark.parametrize("make", [sound, quiet_sound])
@pytest.mark.parametrize("duration_s", [0.025, 0.4, 3.0, 7.7])
def test_every_stage_gives_the_same_numbers(upstream, ours, make, duration_s):
    samples = make(duration_s, 3)
    apart = compare_stages(upstream.stages(samples), ours.stages(samples))
    assert apart.features < 1e-4
    assert apart.encoder < 1e-4
    assert apart.adaptor < 1e-4
    assert apart.ctc < 1e-4


@pytest.mark.parametrize("audio_tokens", ["low", "all"])
def test_every_kind_of_prompt_gives_the_same_embeddings_and_the_same_text(upstream, ours, audio_tokens):
    upstream.hear(audio_tokens)
    ours.hear(audio_tokens)
    samples = sound(2.3, 2)
    texts = set()
    for name, prompt in PROMPTS.items():
        theirs, mine = upstream.embeddings(samples, prompt), ours.embeddings(samples, prompt)
        assert theirs.shape == mine.shape, name
        assert (theirs - mine).abs().max() < 1e-4, name
        text = upstream.texts([(samples, prompt)], MAX_TOKENS)
        assert ours.texts([(samples, prompt)], MAX_TOKENS) == text, name
        texts.update(text)
    assert len(texts) > 15  # the prompts matter


@pytest.mark.parametrize("duration_s", [0.025, 0.1, 0.5, 1.0, 1.02, 2.5, 5.3])
def test_audio_tokens_are_counted_as_upstream_counts_them(upstream, ours, duration_s):
    samples = sound(duration_s, 1)
    frames = len(upstream.stages(samples).features)
    prompt = PROMPTS["automatic"]
    counts = {}
    for audio_tokens in ("low", "all"):
        upstream.hear(audio_tokens)
        counts[audio_tokens] = len(upstream.embeddings(samples, prompt))
    added = {name: count_audio_tokens(frames, name) for name in ("low", "all")}
    assert counts["all"] - counts["low"] == added["all"] - added["low"]
    ours.hear("low")
    assert len(ours.embeddings(samples, prompt)) == counts["low"]
