"""A step can be recorded: shown without a GPU, on tensors that only claim to be on one, and operation by operation."""

from dataclasses import fields, replace

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from funasr_beam.model.recognizers.decoding.forward import Prompts, prefill, step
from funasr_beam.model.recognizers.decoding.slots import BROKEN, EXHAUSTED, RUNNING, STOPPED, lay_out
from funasr_beam.model.recognizers.decoding.weights import share_weights
from tests.qwen3 import END_IDS, make_prompts, tiny_qwen3

ROWS, POSITIONS = 4, 64
WAITS = {"_local_scalar_dense", "nonzero", "is_nonzero", "equal", "masked_select", "lift_fresh", "lift"}
"""Operations that make the device wait for the host, or bring numbers from there."""


class Recordable(TorchDispatchMode):
    """Refuses what cannot be in a graph, and counts the operations."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        tensors = [item for item in args if isinstance(item, torch.Tensor)]
        indices = args[1] if name.startswith("index") and isinstance(args[1], list | tuple) else ()
        by_mask = any(index is not None and index.dtype == torch.bool for index in indices)
        devices = {item.device for item in tensors}
        if name == "_to_copy" and (kwargs or {}).get("device"):
            devices.add(kwargs["device"])
        if name in WAITS or by_mask or len(devices) > 1:
            raise AssertionError(f"{func} cannot be recorded")
        self.count += 1
        return func(*args, **(kwargs or {}))


@pytest.fixture
def weights():
    return share_weights(tiny_qwen3())


@pytest.fixture
def end_ids():
    return torch.tensor(sorted(END_IDS))


@pytest.fixture
def slots(weights, end_ids):
    """Three rows that were begun, and a free slot."""
    memory = torch.zeros(ROWS * POSITIONS * weights.bytes_per_position // 4)
    slots = lay_out(weights, memory, ROWS, POSITIONS)
    slots.status.fill_(STOPPED)
    prompts = make_prompts(tiny_qwen3(), [9, 4, 30], 5)
    padded = torch.nn.utils.rnn.pad_sequence(prompts, batch_first=True)
    prefill(
        weights,
        slots,
        end_ids,
        Prompts(padded, torch.tensor([9, 4, 30]), torch.tensor([20, 1, 20]), torch.tensor([2, 0, 3])),
    )
    return slots


def test_a_step_waits_for_nothing_and_brings_nothing_from_the_host(weights, slots, end_ids):
    with Recordable() as mode:
        step(weights, slots, end_ids, ROWS, 48)
    assert mode.count > 10 * len(weights.layers)


@pytest.mark.parametrize("careless", [lambda x: x[x > 0], lambda x: x.sum().item(), lambda x: x + torch.tensor([1.0])])
def test_what_cannot_be_recorded_is_noticed(careless):
    numbers = torch.ones(3)
    with Recordable(), pytest.raises(AssertionError, match="cannot be recorded"):
        careless(numbers)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_step_runs_on_a_gpu_that_is_only_pretended_and_all_of_it_there(weights, end_ids, dtype):
    with FakeTensorMode():
        there = on_gpu(weights, dtype)
        memory = torch.zeros(ROWS * POSITIONS * there.bytes_per_position // dtype.itemsize, dtype=dtype, device="cuda")
        slots = lay_out(there, memory, ROWS, POSITIONS)
        ends = torch.empty(len(end_ids), dtype=torch.long, device="cuda")
        with Recordable():
            step(there, slots, ends, ROWS, 48)
        numbers = [torch.empty(3, dtype=torch.long, device="cuda") for _ in range(3)]
        prefill(there, slots, ends, Prompts(torch.empty(3, 20, 48, dtype=dtype, device="cuda"), *numbers))


def on_gpu(weights, dtype):
    """The same without numbers."""

    def fake(item):
        changed = {field.name: getattr(item, field.name) for field in fields(item)}
        for name, part in changed.items():
            if isinstance(part, torch.Tensor):
                changed[name] = torch.empty(part.shape, dtype=dtype, device="cuda")
        return replace(item, **changed)

    there = fake(weights)
    frequencies = there.inverse_frequencies.float()
    return replace(there, layers=tuple(map(fake, weights.layers)), inverse_frequencies=frequencies)


def state(slots):
    """All that the outcome depends on; behind a row's last token anything may stand."""
    written = [row[:count].tolist() for row, count in zip(slots.token_ids, slots.written, strict=True)]
    return [getattr(slots, name).tolist() for name in ("token", "position", "written", "budget", "status")], written


def test_a_step_changes_nothing_of_rows_that_have_ended_so_that_it_can_be_done_while_it_is_recorded(
    weights, slots, end_ids
):
    running = slots.status.clone()
    slots.status.fill_(STOPPED)
    before = state(slots)
    for _ in range(3):
        step(weights, slots, end_ids, ROWS, 48)
    assert state(slots) == before
    slots.status.copy_(running)
    step(weights, slots, end_ids, ROWS, 48)
    assert state(slots) != before


def test_a_budget_of_one_token_is_exhausted_by_the_second(weights, slots, end_ids):
    assert slots.status.tolist() == [RUNNING, STOPPED, RUNNING, RUNNING]
    step(weights, slots, end_ids, ROWS, 48)
    assert slots.status[0] == EXHAUSTED
    assert slots.written.tolist()[0] == 1


def test_scores_that_are_no_numbers_break_their_own_row_alone(weights, slots, end_ids):
    slots.values[0, 2, 0, 3] = torch.nan
    step(weights, slots, end_ids, ROWS, 48)
    assert slots.status[2] == BROKEN
    assert slots.status[3] == RUNNING
