"""Memory for keys and values, taken once and laid out as each list of prompts needs it."""

import functools
import logging
import weakref
from dataclasses import dataclass

import numpy as np
import torch

from funasr_beam.model.batching import is_out_of_memory
from funasr_beam.model.recognizers.decoding.forward import step
from funasr_beam.model.recognizers.decoding.graphs import Replay
from funasr_beam.model.recognizers.decoding.slots import Slots, lay_out
from funasr_beam.model.recognizers.decoding.weights import Qwen3Weights

_MAX_LAYOUTS = 8
_log = logging.getLogger("funasr_beam")


@dataclass(frozen=True, eq=False)
class Layout:
    """Slots, and the step that writes in them."""

    slots: Slots
    step: Replay


class SlotPool:
    """Gives slots that stand at the same addresses each time, so that recorded steps can be replayed."""

    def __init__(self, weights: Qwen3Weights, end_ids: torch.Tensor, max_bytes: int) -> None:
        """Take no memory yet.

        Args:
            weights: of the model.
            end_ids: (end tokens,) int64.
            max_bytes: the most memory for keys and values; a single row gets what it needs all the same.
        """
        self._weights = weights
        self._end_ids = end_ids
        self._max_bytes = max_bytes
        self._memory = weights.embedding.new_zeros(0)
        self._layouts: dict[tuple[int, int], Layout] = {}  # the one used last at the end
        self._replays: weakref.WeakSet[Replay] = weakref.WeakSet()

    def lay_out(self, rows: int, positions: int) -> Layout:
        """Slots of at least so many positions each, for as many of the rows as there is memory for, or more.

        Slots that were laid out before and are large enough serve again: what is recorded for them is kept, and most
        lists are shorter than one before. Where less memory is to be had than was free at the beginning, less is asked
        for from now on. What the slots hold is what was left there.

        Raises:
            RuntimeError: there is none for a single row.
        """
        row_bytes = positions * self._weights.bytes_per_position
        while True:
            count = max(1, min(rows, self._max_bytes // row_bytes))
            try:
                return self._use(*self._fitting(count, positions))
            except RuntimeError as error:
                if count == 1 or not is_out_of_memory(error):
                    raise
            self.release()
            self._max_bytes = count // 2 * row_bytes
            _log.warning("The device has less memory than it had: %d rows are decoded at once", count // 2)

    def ask_for_less(self) -> None:
        """Half as much from now on, as what is held leaves no room to work; a single row has what it needs."""
        rows = max((count for count, _ in self._layouts), default=0)
        if rows > 1:
            self._max_bytes = len(self._memory) * self._memory.element_size() // 2
            _log.warning("The device has less memory than it had: half as much is taken for rows that are decoded")

    def _fitting(self, count: int, positions: int) -> tuple[int, int]:
        """Slots and positions of the smallest layout that is there and large enough, or else of a new one."""
        there = [(a, b) for a, b in self._layouts if a >= count and b >= positions]
        return min(there, key=lambda shape: (shape[0] * shape[1], shape), default=(count, positions))

    def _use(self, count: int, positions: int) -> Layout:
        """The layout of this shape, made if it is not there; the one that was not used for longest goes."""
        elements = count * positions * self._weights.bytes_per_position // self._weights.embedding.element_size()
        self._provide(elements)
        layout = self._layouts.pop((count, positions), None) or self._make(elements, count, positions)
        self._layouts[count, positions] = layout
        if len(self._layouts) > _MAX_LAYOUTS:
            del self._layouts[next(iter(self._layouts))]
        return layout

    def release(self) -> None:
        """Give the memory back."""
        self._layouts.clear()
        self._memory = self._weights.embedding.new_zeros(0)

    def _provide(self, elements: int) -> None:
        """Have memory for so many numbers. More of it drops all records, so that it is at least doubled."""
        held = len(self._memory)
        if held < elements:
            most = self._max_bytes // self._weights.embedding.element_size()
            self.release()  # before more is asked for: both might not fit
            self._memory = _zeros(self._weights.embedding, max(elements, min(2 * held, most)))

    def _make(self, elements: int, count: int, positions: int) -> Layout:
        slots = lay_out(self._weights, self._memory[:elements], count, positions)
        work = functools.partial(step, self._weights, slots, self._end_ids)
        return Layout(slots, Replay(work, self._memory.device, self._replays))


def _zeros(like: torch.Tensor, elements: int) -> torch.Tensor:
    """Zeros, as what was never written is masked, and 0 x NaN would still be NaN."""
    if like.device.type != "cpu":
        return like.new_zeros(elements)
    # From the operating system: memory that is never touched is never taken, and budgets are far above what is said.
    return torch.from_numpy(np.zeros(elements * like.element_size(), dtype=np.uint8)).view(like.dtype)
