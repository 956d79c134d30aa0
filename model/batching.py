"""Batches of similar length, and a failing batch halved until the culprit is alone."""

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from funasr_beam.model.errors import Cause, ProcessDiedError, RecordingError
from funasr_beam.model.recognizers.base import Recognizer, Utterance
from funasr_beam.model.records import Failure, Hypothesis, Seconds

Result = TypeVar("Result")
FloatArray = NDArray[np.float64]

BATCH_COST_S = 8.0
"""What beginning another batch costs, in padded seconds."""
GPU_BATCH_COST_S = 16.0
"""The same on a GPU, which waits for the thousand launches of a batch."""
FEW_BATCHES_S = 1e6
"""The same where a batch is divided again by whoever takes it: as few as the limits allow."""

_MODEL_FAILURES = (RecordingError, RuntimeError, MemoryError, FloatingPointError)
"""What a batch may raise because of one of its utterances or because of its size.

torch's out of memory is a RuntimeError. Anything else is a mistake of the program: it propagates and stops the run.
"""

_OUT_OF_MEMORY_SIGNS = (
    *("DefaultCPUAllocator", "CUDA error: out of memory", "ALLOC_FAILED", "ALLOCATION_FAILED"),
    "CUBLAS_STATUS_NOT_INITIALIZED",  # there is no room for its handle
    # What becomes of torch's message where NVML does not tell it how much is used: MIG, or no right to ask.
    "NVML_SUCCESS ==",
)
"""torch says so of itself; the others are what cuBLAS, cuFFT and cuDNN say, which take memory beside it."""


@dataclass(frozen=True)
class BatchLimits:
    """How much is recognised at once."""

    max_padded_s: Seconds = 240.0  # number of utterances times the longest of them
    max_items: int = 64
    batch_cost_s: Seconds = BATCH_COST_S  # what beginning another batch costs, in padded seconds
    part_padded_s: Seconds | None = None  # of what is computed together, where a batch is divided again by its taker
    part_cost_s: Seconds = BATCH_COST_S  # what beginning another such part costs


def make_batches(
    durations_s: Sequence[Seconds], max_padded_s: Seconds, max_items: int, batch_cost_s: Seconds = BATCH_COST_S
) -> list[list[int]]:
    """Places of utterances, in batches of similar length, the longest first.

    Sorted by length (equal ones by place) and cut where it costs least: a batch costs (number x longest) padded seconds
    and `batch_cost_s`, and has neither more padded seconds nor more utterances than it may; an utterance that is longer
    than that on its own is a batch of its own. The longest come first, so that what does not fit into memory shows at
    once. The same durations always give the same batches.

    Raises:
        ValueError: a limit is not positive.
    """
    if max_padded_s <= 0 or max_items < 1:
        raise ValueError(f"max_padded_s = {max_padded_s}, max_items = {max_items}: both must be positive")
    order = sorted(range(len(durations_s)), key=lambda place: (-durations_s[place], place))
    sorted_s = np.array([durations_s[place] for place in order])
    ends = _cheapest_ends(sorted_s, max_padded_s, max_items, batch_cost_s)
    batches, start = [], 0
    while start < len(order):
        batches.append(order[start : ends[start]])
        start = ends[start]
    return batches


def _cheapest_ends(sorted_s: FloatArray, max_padded_s: Seconds, max_items: int, batch_cost_s: Seconds) -> list[int]:
    """Where a batch that begins at each place ends if it and all after it cost least: dynamic programming from behind.

    Args:
        sorted_s: (utterances,) seconds, the longest first.
        max_padded_s: of one batch.
        max_items: of one batch.
        batch_cost_s: of each batch beside its padded seconds.
    """
    count = len(sorted_s)
    rest = np.zeros(count + 1)  # what all from here on cost
    ends = [count] * count
    sizes = np.arange(1, count + 1)
    for start in range(count - 1, -1, -1):
        longest_s = sorted_s[start]
        fits = max_items if longest_s <= 0 else min(max_items, max(1, int(max_padded_s / longest_s)))
        costs = sizes[: min(fits, count - start)] * longest_s + rest[start + 1 : start + 1 + fits]
        size = int(costs.argmin())
        rest[start] = costs[size] + batch_cost_s
        ends[start] = start + 1 + size
    return ends


def padded_seconds(durations_s: Sequence[Seconds], limits: BatchLimits) -> Seconds:
    """Audio and padding that are computed for utterances which are given in batches of these limits."""
    total_s = 0.0
    for batch in make_batches(durations_s, limits.max_padded_s, limits.max_items, limits.batch_cost_s):
        own_s = [durations_s[place] for place in batch]
        total_s += sum(own_s) * (1 + padding_waste(own_s, make_parts(own_s, limits)))
    return total_s


def make_parts(durations_s: Sequence[Seconds], limits: BatchLimits) -> list[list[int]]:
    """Places of a batch's utterances, by what of them is computed together."""
    if limits.part_padded_s is None:
        return [list(range(len(durations_s)))]
    return make_batches(durations_s, limits.part_padded_s, len(durations_s), limits.part_cost_s)


def padding_waste(durations_s: Sequence[Seconds], batches: Sequence[Sequence[int]]) -> float:
    """Seconds of padding per second of audio that these batches compute; 0.08 is 8 %."""
    audio_s = sum(durations_s)
    padded_s = sum(len(batch) * max(durations_s[place] for place in batch) for batch in batches if batch)
    return padded_s / audio_s - 1.0 if audio_s else 0.0


def recognize_all(
    recognizer: Recognizer, utterances: Sequence[Utterance], limits: BatchLimits
) -> list[Hypothesis | Failure]:
    """A hypothesis or a failure for every utterance, in order; no failure harms a neighbour.

    Raises:
        Exception: whatever the recogniser raises that is no known failure of a model, and the loss of its device.
    """
    return run_in_batches(
        lambda places: recognizer.recognize([utterances[place] for place in places]),
        [utterance.duration_s for utterance in utterances],
        limits,
    )


def run_in_batches(
    work: Callable[[list[int]], Sequence[Result]], durations_s: Sequence[Seconds], limits: BatchLimits
) -> list[Result | Failure]:
    """What `work` makes of every place, in order, called with batches of places of similar length.

    A batch that fails is halved until the culprit is alone; that one is a failure, and its neighbours are fine.

    Raises:
        Exception: whatever `work` raises that is no known failure of a model, and the loss of its device.
    """
    results: dict[int, Result | Failure] = {}
    for batch in make_batches(durations_s, limits.max_padded_s, limits.max_items, limits.batch_cost_s):
        _run_halving(work, batch, results)
    return [results[place] for place in range(len(durations_s))]


def _run_halving(
    work: Callable[[list[int]], Sequence[Result]],
    places: list[int],
    results: dict[int, Result | Failure],
    *,
    is_last_try: bool = False,
) -> None:
    """Do a batch; where that fails, each half of it, down to single places; what may be chance is tried twice."""
    try:
        done = work(places)
    except _MODEL_FAILURES as error:
        if is_fatal(error):
            raise
        failure, has_died = failure_of(error), isinstance(error, ProcessDiedError)
    else:
        results.update(zip(places, done, strict=True))
        return
    # Outside the handler: its traceback holds the failed batch's tensors, and half of it must fit now.
    if failure.cause is Cause.OUT_OF_MEMORY:
        free_memory()
    if len(places) == 1:
        if (has_died or failure.cause is Cause.OUT_OF_MEMORY) and not is_last_try:
            _run_halving(work, places, results, is_last_try=True)
        else:
            results[places[0]] = failure
        return
    middle = len(places) // 2
    _run_halving(work, places[:middle], results)
    _run_halving(work, places[middle:], results)


def failure_of(error: BaseException) -> Failure:
    """The terminal row of an utterance that fails on its own."""
    if isinstance(error, RecordingError):
        return Failure("recognise", error.cause, error.message)
    cause = Cause.OUT_OF_MEMORY if is_out_of_memory(error) else Cause.MODEL_ERROR
    return Failure("recognise", cause, f"{type(error).__name__}: {error}".partition("\n")[0])


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory was the reason; torch says it on a CPU with a plain RuntimeError."""
    import torch

    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in _OUT_OF_MEMORY_SIGNS)


def is_fatal(error: BaseException) -> bool:
    """Whether the device is lost to this process: every later batch would fail and look like a bad recording."""
    import torch

    return isinstance(error, torch.AcceleratorError) and not is_out_of_memory(error)


def free_memory() -> None:
    """Give back what failed work held; its traceback must be gone."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
