"""Memory for keys and values, taken once and laid out as each list of prompts needs it."""

import functools
import weakref
from dataclasses import dataclass

import numpy as np
import torch

from funasr_beam.model.recognizers.decoding.forward import step
from funasr_beam.model.recognizers.decoding.graphs import Replay
from funasr_beam.model.recognizers.decoding.slots import Slots, lay_out
from funasr_beam.model.recognizers.decoding.weights import Qwen3Weights

_MAX_LAYOUTS = 8


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
        """Slots of so many positions each, for as many of the rows as there is memory for.

        The same arguments give the same object, until more memory is needed than ever before, other layouts push it out
        or `release` is called. What the slots hold is what was left there.
        """
        row_bytes = positions * self._weights.bytes_per_position
        count = max(1, min(rows, self._max_bytes // row_bytes))
        elements = count * row_bytes // self._weights.embedding.element_size()
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
