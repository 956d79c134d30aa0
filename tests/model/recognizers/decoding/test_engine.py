"""The engine beside `decode_greedily`, which the neighbouring test holds against transformers' own `generate`."""

import functools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from funasr_beam.model.recognizers.decoding import engine as engine_module
from funasr_beam.model.recognizers.decoding.engine import DecodingEngine
from funasr_beam.model.recognizers.decoding.limits import DIRECT, RECORDED, EngineLimits, Grid
from funasr_beam.model.recognizers.decoding.weights import share_weights
from funasr_beam.model.recognizers.greedy import decode_greedily
from tests.qwen3 import END_IDS, make_prompts, tiny_qwen3

GRIDS = [DIRECT, RECORDED, Grid(is_coarse=True, positions=8, steps_per_look=3)]


@functools.cache
def model():
    """A tiny Qwen3 of random weights, whose texts hang on every layer and on every position."""
    return tiny_qwen3()


def oracle(prompts, budgets):
    """What the loop over transformers' own layers writes, each prompt on its own."""
    with torch.inference_mode():
        return [
            decode_greedily(model(), [prompt], [budget], END_IDS)[0]
            for prompt, budget in zip(prompts, budgets, strict=True)
        ]


def assert_same(found, wanted):
    """Equal tokens and reasons, and log-probabilities as near as float32 allows; behind a tie texts may differ."""
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        pairs = enumerate(zip(one.token_ids, other.token_ids, strict=False))
        parted = next((place for place, (mine, theirs) in pairs if mine != theirs), None)
        if parted is None:
            assert (one.token_ids, one.finish_reason) == (other.token_ids, other.finish_reason)
        compared = slice(None if parted is None else parted + 1)  # tokens that differ there are equally likely
        assert one.logprobs[compared] == pytest.approx(other.logprobs[compared], abs=1e-4)


@st.composite
def any_limits(draw):
    """From memory for one row to memory for all of them."""
    kv_bytes = draw(st.integers(1, 400)) * share_weights(model()).bytes_per_position
    shares = st.sampled_from([0.0, 0.3, 1.0])
    return EngineLimits(kv_bytes, draw(st.integers(1, 9)), draw(st.integers(1, 200)), draw(shares))


@given(
    asked=st.lists(st.tuples(st.integers(1, 40), st.integers(0, 30)), min_size=1, max_size=14),
    seed=st.integers(0, 50),
    grid=st.sampled_from(GRIDS),
    limits=any_limits(),
)
@settings(max_examples=40)
def test_rows_write_what_they_write_alone_whatever_their_slots_and_neighbours(asked, seed, grid, limits):
    prompts = make_prompts(model(), [length for length, _ in asked], seed)
    budgets = [budget for _, budget in asked]
    assert_same(DecodingEngine(model(), END_IDS, limits, grid).decode(prompts, budgets), oracle(prompts, budgets))


def test_an_engine_that_was_used_before_writes_the_same():
    engine = DecodingEngine(model(), END_IDS, EngineLimits(max_rows=6), RECORDED)
    for seed in range(6):  # longer and shorter, more and fewer, in memory that others have written to
        prompts = make_prompts(model(), [3 + (7 * seed * place) % 50 for place in range(2 + 3 * seed)], seed)
        budgets = [20 + place for place in range(len(prompts))]
        assert_same(engine.decode(prompts, budgets), oracle(prompts, budgets))


def test_no_prompts_give_no_texts():
    assert DecodingEngine(model(), END_IDS).decode([], []) == []


def test_texts_end_in_both_ways():
    prompts = make_prompts(model(), [5] * 30, 0)
    reasons = {item.finish_reason for item in DecodingEngine(model(), END_IDS).decode(prompts, [40] * 30)}
    assert reasons == {"stop", "length"}


def test_scores_that_are_no_numbers_are_an_error_and_the_engine_works_on():
    engine = DecodingEngine(model(), END_IDS, grid=RECORDED)
    prompts = make_prompts(model(), [9, 12, 4], 1)
    broken = [prompts[0], torch.full_like(prompts[1], torch.nan), prompts[2]]
    with pytest.raises(RuntimeError, match="finite"):
        engine.decode(broken, [8, 8, 8])
    assert_same(engine.decode(prompts, [8, 8, 8]), oracle(prompts, [8, 8, 8]))


@pytest.mark.parametrize("rows", [4, 1])
def test_an_engine_with_less_memory_than_was_planned_takes_fewer_rows(monkeypatch, rows):
    engine = DecodingEngine(model(), END_IDS, grid=RECORDED)
    prompts, budgets = make_prompts(model(), [9] * 8, 2), [6] * 8
    room = rows * 64 * share_weights(model()).bytes_per_position
    monkeypatch.setattr("funasr_beam.model.recognizers.decoding.pool._zeros", limited_zeros(room))
    assert_same(engine.decode(prompts, budgets), oracle(prompts, budgets))
    assert len(engine._pool._memory) * 4 <= room


def test_an_engine_that_has_no_memory_for_a_row_says_so_and_holds_none(monkeypatch):
    engine = DecodingEngine(model(), END_IDS, grid=RECORDED)
    with monkeypatch.context() as patched:
        patched.setattr("funasr_beam.model.recognizers.decoding.pool._zeros", limited_zeros(room=0))
        with pytest.raises(torch.OutOfMemoryError):
            engine.decode(make_prompts(model(), [9] * 8, 2), [6] * 8)
    assert not len(engine._pool._memory)
    prompts = make_prompts(model(), [9] * 2, 2)
    assert_same(engine.decode(prompts, [6] * 2), oracle(prompts, [6] * 2))


def test_an_engine_that_found_too_little_room_to_read_prompts_does_not_look_for_it_again(monkeypatch, caplog):
    read, tried = engine_module.prefill, []

    def prefill(weights, slots, end_ids, prompts):
        tried.append(slots.count)
        if slots.count > 4:
            raise RuntimeError("NVML_SUCCESS == r INTERNAL ASSERT FAILED")  # what MIG makes of it
        read(weights, slots, end_ids, prompts)

    monkeypatch.setattr(engine_module, "prefill", prefill)
    engine = DecodingEngine(model(), END_IDS, EngineLimits(max_rows=8), RECORDED)
    prompts, budgets = make_prompts(model(), [9] * 8, 2), [6] * 8
    with pytest.raises(RuntimeError):
        engine.decode(prompts, budgets)
    assert "less memory than it had" in caplog.text
    assert_same(engine.decode(prompts, budgets), oracle(prompts, budgets))
    assert set(tried[1:]) == {4}


def limited_zeros(room):
    """An allocator with so many bytes."""

    def zeros(like, elements):
        if elements * like.element_size() > room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return like.new_zeros(elements)

    return zeros


def test_bfloat16_writes_mostly_the_same():
    lowered = tiny_qwen3().to(torch.bfloat16)
    prompts = make_prompts(lowered, [4 + 3 * place for place in range(12)], 3)
    with torch.inference_mode():
        wanted = decode_greedily(lowered, prompts, [12] * 12, END_IDS)
    found = DecodingEngine(lowered, END_IDS).decode(prompts, [12] * 12)
    first = [one.token_ids[:1] == other.token_ids[:1] for one, other in zip(found, wanted, strict=True)]
    assert sum(first) >= 10
