import torch

from funasr_beam.model.recognizers.decoding.pool import SlotPool
from funasr_beam.model.recognizers.decoding.weights import share_weights
from tests.qwen3 import tiny_qwen3


def make_pool(positions):
    """A pool for so many positions."""
    weights = share_weights(tiny_qwen3())
    return SlotPool(weights, torch.tensor([3]), positions * weights.bytes_per_position)


def test_there_are_as_many_slots_as_rows_or_as_memory_allows_and_always_one():
    pool = make_pool(100)
    assert [pool.lay_out(*asked).slots.count for asked in ((3, 20), (9, 20), (4, 300))] == [3, 5, 1]


def test_the_same_layout_stays_where_it_is_until_more_memory_is_needed():
    pool = make_pool(1_000)
    first = pool.lay_out(4, 16)
    address = first.slots.keys.data_ptr()
    assert pool.lay_out(2, 16).slots.keys.data_ptr() == address
    assert pool.lay_out(4, 16) is first
    larger = pool.lay_out(8, 64)
    assert pool.lay_out(4, 16) is not first
    assert pool.lay_out(8, 64) is larger


def test_memory_at_least_doubles_so_that_few_layouts_are_lost_and_never_passes_its_limit():
    pool = make_pool(1_000)
    pool.lay_out(4, 100)
    address = pool.lay_out(5, 100).slots.keys.data_ptr()  # room for eight
    assert pool.lay_out(8, 100).slots.keys.data_ptr() == address
    pool.lay_out(9, 100)
    assert len(pool._memory) * 4 == pool._max_bytes


def test_layouts_that_were_not_used_for_long_are_forgotten():
    pool = make_pool(1_000)
    kept = pool.lay_out(10, 100)
    first = pool.lay_out(1, 16)
    for positions in range(17, 32):
        pool.lay_out(1, positions)
        assert pool.lay_out(10, 100) is kept
    assert pool.lay_out(1, 16) is not first


def test_memory_that_was_never_written_is_zero():
    slots = make_pool(1_000).lay_out(10, 100).slots
    assert not slots.keys.any()
    assert not slots.values.any()
