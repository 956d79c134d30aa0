import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from funasr_beam.model.batching import BATCH_COST_S, BatchLimits, failure_of, make_batches, padding_waste, recognize_all
from funasr_beam.model.errors import Cause, RecordingError
from funasr_beam.model.recognizers.base import Utterance
from funasr_beam.model.records import Failure, Hypothesis

DURATIONS = st.lists(st.floats(0.025, 60), max_size=60)
LIMITS = BatchLimits(max_padded_s=1000, max_items=64)


class DefectiveRecognizer:
    """Writes each utterance's first sample, and fails on batches that hold a poisoned one or too many."""

    batch_limits = LIMITS

    def __init__(self, errors=None, most=1000):
        self.errors, self.most, self.sizes = errors or {}, most, []

    def describe(self):
        raise NotImplementedError

    def recognize(self, utterances):
        self.sizes.append(len(utterances))
        for utterance in utterances:
            if int(utterance.samples[0]) in self.errors:
                raise self.errors[int(utterance.samples[0])]
        if len(utterances) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return [Hypothesis(str(utterance.samples[0]), (), "stop") for utterance in utterances]


def utterances(count):
    return [Utterance(np.full(16_000 + 100 * n, n, np.int16)) for n in range(count)]


def texts(results):
    return [item.text if isinstance(item, Hypothesis) else item.cause for item in results]


@given(DURATIONS, st.floats(1, 100), st.integers(1, 20))
def test_every_utterance_is_in_exactly_one_batch(durations_s, max_padded_s, max_items):
    batches = make_batches(durations_s, max_padded_s, max_items)
    assert sorted(place for batch in batches for place in batch) == list(range(len(durations_s)))


@given(DURATIONS, st.floats(1, 100), st.integers(1, 20))
def test_no_batch_is_above_the_limits_unless_it_is_a_single_utterance(durations_s, max_padded_s, max_items):
    for batch in make_batches(durations_s, max_padded_s, max_items):
        assert 1 <= len(batch) <= max_items
        assert len(batch) == 1 or len(batch) * max(durations_s[place] for place in batch) <= max_padded_s * (1 + 1e-9)


@given(DURATIONS, st.floats(1, 100), st.integers(1, 20), st.randoms())
def test_batches_do_not_depend_on_the_order_of_the_input(durations_s, max_padded_s, max_items, random):
    shuffled = list(durations_s)
    random.shuffle(shuffled)
    first, second = (
        [[values[place] for place in batch] for batch in make_batches(values, max_padded_s, max_items)]
        for values in (durations_s, shuffled)
    )
    assert first == second


@given(DURATIONS, st.floats(1, 100), st.integers(1, 20))
def test_no_utterance_is_padded_beside_one_that_is_longer_than_those_of_the_batch_before(durations_s, padded_s, items):
    batches = [[durations_s[place] for place in batch] for batch in make_batches(durations_s, padded_s, items)]
    assert all(min(before) >= max(after) for before, after in itertools.pairwise(batches))


@given(DURATIONS, st.floats(1, 100), st.integers(1, 20))
def test_waste_is_never_negative(durations_s, max_padded_s, max_items):
    assert padding_waste(durations_s, make_batches(durations_s, max_padded_s, max_items)) >= -1e-9


@given(st.lists(st.floats(0.025, 60), max_size=7), st.floats(1, 100), st.integers(1, 5))
def test_no_other_way_to_cut_the_sorted_list_costs_less(durations_s, max_padded_s, max_items):
    def cost(batches):
        return sum(len(batch) * max(durations_s[place] for place in batch) + BATCH_COST_S for batch in batches)

    def is_allowed(batch):
        padded_s = len(batch) * durations_s[batch[0]]
        return len(batch) == 1 or (len(batch) <= max_items and padded_s <= max_padded_s * (1 - 1e-9))

    order = sorted(range(len(durations_s)), key=lambda place: -durations_s[place])
    cuts = itertools.chain.from_iterable(
        itertools.combinations(range(1, len(order)), count) for count in range(len(order))
    )
    others = ([order[a:b] for a, b in itertools.pairwise([0, *cut, len(order)])] for cut in cuts)
    cheapest = min(cost(batches) for batches in others if all(map(is_allowed, batches))) if order else 0
    assert cost(make_batches(durations_s, max_padded_s, max_items)) <= cheapest + 1e-6


@pytest.mark.parametrize("limits", [(240, 16), (240, 64), (960, 256), (1e9, 4_096)])
@pytest.mark.parametrize("minutes", [30, 60])
@pytest.mark.parametrize("profile", [[(2, 15)], [(20, 30)], [(2, 15), (20, 30)]])
def test_a_unit_of_calls_or_podcasts_or_both_wastes_at_most_a_tenth(profile, minutes, limits):
    random = np.random.default_rng(0)
    durations_s = [float(random.uniform(*profile[n % len(profile)])) for n in range(1_000)]
    durations_s = durations_s[: int(np.searchsorted(np.cumsum(durations_s), 60 * minutes))]
    assert padding_waste(durations_s, make_batches(durations_s, *limits)) < 0.1


@pytest.mark.parametrize("limits", [(0, 1), (-1, 1), (1, 0)])
def test_limits_must_be_positive(limits):
    with pytest.raises(ValueError, match="positive"):
        make_batches([1.0], *limits)


def test_results_come_in_the_order_of_the_input():
    assert texts(recognize_all(DefectiveRecognizer(), utterances(40), BatchLimits(30, 8))) == [
        str(n) for n in range(40)
    ]


def test_nothing_gives_nothing():
    assert recognize_all(DefectiveRecognizer(), [], LIMITS) == []


def test_the_culprit_ends_alone_and_its_neighbours_are_fine():
    recognizer = DefectiveRecognizer({13: RuntimeError("shape mismatch\nat line 3")})
    results = recognize_all(recognizer, utterances(32), LIMITS)
    assert results[13] == Failure("recognise", Cause.MODEL_ERROR, "RuntimeError: shape mismatch")
    assert texts(results)[:13] + texts(results)[14:] == [str(n) for n in range(32) if n != 13]
    assert len(recognizer.sizes) == 2 * 5 + 1  # logarithmic, not one by one


def test_several_culprits_each_keep_their_own_cause():
    errors = {
        1: RecordingError(Cause.TOO_SHORT, "399 samples"),
        2: MemoryError("no"),
        30: RuntimeError("[enforce fail at alloc_cpu.cpp:116] . DefaultCPUAllocator: can't allocate memory"),
    }
    results = texts(recognize_all(DefectiveRecognizer(errors), utterances(32), LIMITS))
    assert [results[n] for n in (0, 1, 2, 30, 31)] == ["0", Cause.TOO_SHORT, *[Cause.OUT_OF_MEMORY] * 2, "31"]


def test_a_batch_too_big_for_the_memory_is_done_in_parts():
    recognizer = DefectiveRecognizer(most=5)
    assert texts(recognize_all(recognizer, utterances(32), LIMITS)) == [str(n) for n in range(32)]
    assert max(size for size in recognizer.sizes if size <= 5) == 4


def test_an_unknown_exception_stops_the_run():
    with pytest.raises(KeyError):
        recognize_all(DefectiveRecognizer({3: KeyError("bug")}), utterances(8), LIMITS)


def test_a_lost_device_stops_the_run_instead_of_failing_every_recording_after_it():
    lost = torch.AcceleratorError("CUDA error: device-side assert triggered")
    with pytest.raises(torch.AcceleratorError):
        recognize_all(DefectiveRecognizer({3: lost}), utterances(8), LIMITS)


def test_what_torch_really_raises_on_a_cpu_is_out_of_memory():
    with pytest.raises(RuntimeError) as error:
        torch.empty(10**14)
    assert failure_of(error.value).cause is Cause.OUT_OF_MEMORY


@pytest.mark.parametrize(
    "said",
    [
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasGemmEx( handle, ...)`",
        "CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`",
        "cuFFT error: CUFFT_ALLOC_FAILED",
        "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
        'NVML_SUCCESS == r INTERNAL ASSERT FAILED at "/pytorch/c10/cuda/CUDACachingAllocator.cpp":1165',
    ],
)
def test_libraries_that_lack_memory_on_a_gpu_say_so_in_their_own_words(said):
    assert failure_of(RuntimeError(said)).cause is Cause.OUT_OF_MEMORY


def test_a_graph_for_which_there_is_no_memory_is_no_lost_device():
    recognizer = DefectiveRecognizer({3: torch.AcceleratorError("CUDA error: out of memory")})
    results = recognize_all(recognizer, utterances(8), LIMITS)
    assert results[3].cause is Cause.OUT_OF_MEMORY
    assert texts(results)[:3] == ["0", "1", "2"]


def test_out_of_memory_is_worth_another_try():
    assert failure_of(torch.OutOfMemoryError("CUDA out of memory")).retryable


def test_a_single_utterance_that_lacks_memory_is_tried_again_once_memory_is_freed():
    class Fragmented(DefectiveRecognizer):
        def recognize(self, utterances):
            self.most = len(self.sizes)  # the second try finds room
            return super().recognize(utterances)

    recognizer = Fragmented()
    assert texts(recognize_all(recognizer, utterances(1), LIMITS)) == ["0"]
    assert recognizer.sizes == [1, 1]
