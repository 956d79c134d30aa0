"""Places for the rows that are being written: their keys and values, and how far each has come, at fixed addresses."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from funasr_beam.model.recognizers.decoding.weights import Qwen3Weights

RUNNING, STOPPED, EXHAUSTED, BROKEN = range(4)
"""A row is being written; it ended by itself; its budget ended it; its scores were no numbers."""


@dataclass(frozen=True, eq=False)
class Slots:
    """A fixed number of places of a fixed length. What is computed in them stays on the device.

    A row of `prompt` positions that may write `budget` tokens needs `prompt + budget` positions.
    """

    keys: torch.Tensor  # (layers, slots, key heads, positions, head size)
    values: torch.Tensor  # likewise
    token: torch.Tensor  # (slots,) int64: what is read next
    position: torch.Tensor  # (slots,) int64: where it is read
    written: torch.Tensor  # (slots,) int64: tokens so far
    budget: torch.Tensor  # (slots,) int64: the most that may be written
    status: torch.Tensor  # (slots,) int64: RUNNING, ...
    token_ids: torch.Tensor  # (slots, positions + 1) int64: what was written; behind it anything
    logprobs: torch.Tensor  # (slots, positions + 1) float32
    cosines: torch.Tensor  # (positions, head size): rotary embedding, in the model's dtype
    sines: torch.Tensor  # (positions, head size): the first half negative
    places: torch.Tensor  # (positions,) int64: 0, 1, 2, ...
    first_rows: torch.Tensor  # (slots, key heads) int64: where a head's positions begin among all of a layer

    @property
    def count(self) -> int:
        """How many rows find a place."""
        return len(self.token)

    @property
    def positions(self) -> int:
        """Positions of each."""
        return len(self.places)

    def move(self, moves: Sequence[tuple[int, int]], positions: int) -> None:
        """Carry rows over to other places.

        Args:
            moves: from where to where; no place twice.
            positions: as many of each row's first ones hold something.
        """
        for source, target in moves:  # one by one: together they would need room for a copy of all of them
            for cache in (self.keys, self.values):
                cache[:, target, :, :positions].copy_(cache[:, source, :, :positions])
        sources, targets = torch.tensor(moves, device=self.token.device).unbind(1)
        for state in (self.token, self.position, self.written, self.budget, self.status, self.token_ids, self.logprobs):
            state[targets] = state[sources]


def lay_out(weights: Qwen3Weights, memory: torch.Tensor, count: int, positions: int) -> Slots:
    """So many slots of so many positions each.

    Args:
        weights: of the model.
        memory: (count x positions x numbers per position,) in the model's dtype, free of NaN; it is used as it is.
        count: rows that find a place.
        positions: of each.
    """
    shape = (2, len(weights.layers), count, weights.key_heads, positions, weights.head_size)
    keys, values = memory.view(shape)
    places = torch.arange(positions, device=memory.device)
    angles = places[:, None].float() * weights.inverse_frequencies
    cosines, sines = angles.cos(), angles.sin()
    state = places.new_zeros(5, count)
    token_ids = places.new_zeros(count, positions + 1)
    starts = torch.arange(count * weights.key_heads, device=memory.device) * positions
    return Slots(
        keys=keys,
        values=values,
        token=state[0],
        position=state[1],
        written=state[2],
        budget=state[3],
        status=state[4],
        token_ids=token_ids,
        logprobs=torch.zeros_like(token_ids, dtype=torch.float32),
        cosines=torch.cat([cosines, cosines], dim=-1).to(memory.dtype),
        sines=torch.cat([-sines, sines], dim=-1).to(memory.dtype),
        places=places,
        first_rows=starts.view(count, weights.key_heads),
    )
