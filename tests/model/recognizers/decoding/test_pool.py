import pytest
import torch

from funasr_beam.model.recognizers.decoding import pool as pool_module
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
    assert pool.lay_out(8, 64) is larger
    assert pool.lay_out(4, 16) is larger


def test_what_is_large_enough_serves_and_of_several_the_smallest():
    pool = make_pool(1_000)
    large = pool.lay_out(10, 100)
    assert pool.lay_out(3, 64) is large
    assert pool.lay_out(10, 64) is large
    pool.release()
    small, wide = pool.lay_out(4, 16), pool.lay_out(2, 64)
    large = pool.lay_out(10, 64)
    assert small is not wide
    assert pool.lay_out(10, 60) is large
    pool.release()
    large = pool.lay_out(10, 100)
    assert pool.lay_out(1, 16) is large


def test_memory_at_least_doubles_so_that_few_layouts_are_lost_and_never_passes_its_limit():
    pool = make_pool(1_000)
    pool.lay_out(4, 100)
    address = pool.lay_out(5, 100).slots.keys.data_ptr()  # room for eight
    assert pool.lay_out(8, 100).slots.keys.data_ptr() == address
    pool.lay_out(9, 100)
    assert len(pool._memory) * 4 == pool._max_bytes


def test_layouts_that_were_not_used_for_long_are_forgotten():
    pool = make_pool(1_000)
    pool._provide(1_000 * pool._weights.bytes_per_position // 4)  # so that no larger one drops them all
    shapes = [(rows, 40 - rows) for rows in range(1, 12)]  # none is large enough for another one
    found = [pool.lay_out(*shape) for shape in shapes]
    assert [pool.lay_out(*shape) is layout for shape, layout in zip(shapes[3:], found[3:], strict=True)] == [True] * 8
    assert pool.lay_out(*shapes[0]) is not found[0]


@pytest.mark.parametrize(
    "error",
    [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("NVML_SUCCESS == r INTERNAL ASSERT FAILED at x.cpp:1")],
)
def test_where_less_memory_is_to_be_had_than_was_planned_with_fewer_rows_do(monkeypatch, caplog, error):
    pool = make_pool(1_000)
    most = 300 * pool._weights.bytes_per_position // 4
    provide = pool_module._zeros

    def scarce(like, elements):
        if elements > most:
            raise error
        return provide(like, elements)

    monkeypatch.setattr(pool_module, "_zeros", scarce)
    assert pool.lay_out(10, 100).slots.count == 2
    assert "2 rows" in caplog.text
    caplog.clear()
    assert pool.lay_out(10, 100).slots.count == 2  # and it is not tried again
    assert caplog.text == ""
    with pytest.raises(type(error)):
        pool.lay_out(1, 400)


def test_memory_that_was_never_written_is_zero():
    slots = make_pool(1_000).lay_out(10, 100).slots
    assert not slots.keys.any()
    assert not slots.values.any()
