"""Greedy decoding of a batch of prompts of different lengths, each with a budget of its own."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import DynamicCache

_COMPACT_BELOW = 0.75  # finished rows leave the batch once this share is left: a copy of the cache pays only then


@dataclass(frozen=True)
class Decoded:
    """What one row of the batch wrote."""

    token_ids: tuple[int, ...]  # without the end token
    logprobs: tuple[float, ...]  # natural logarithm, one per token
    finish_reason: str  # "stop": it ended by itself; "length": its budget did


@dataclass
class Row:
    """A row while it is being written."""

    budget: int
    token_ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    finish_reason: str | None = None

    def add(self, token_id: int, logprob: float, end_ids: frozenset[int]) -> None:
        """Take one more token, unless the row has ended, or ends with it or before it."""
        if self.finish_reason is not None:
            return
        if token_id in end_ids:
            self.finish_reason = "stop"
        elif len(self.token_ids) == self.budget:
            self.finish_reason = "length"
        else:
            self.token_ids.append(token_id)
            self.logprobs.append(logprob)


@dataclass
class _Batch:
    """The rows that the LLM still works on, in its order, and what it remembers of them."""

    rows: list[Row]
    attention_mask: torch.Tensor  # (rows, positions) 1 where there is something
    cache: Any

    def drop_finished(self) -> torch.Tensor | None:
        """Take finished rows out once there are enough of them; gives the places that stay, None: all."""
        places = [place for place, row in enumerate(self.rows) if row.finish_reason is None]
        if len(places) > _COMPACT_BELOW * len(self.rows):
            return None
        kept = torch.tensor(places, device=self.attention_mask.device)
        self.rows = [self.rows[place] for place in places]
        self.attention_mask = self.attention_mask[kept]
        self.cache.batch_select_indices(kept)
        return kept


def decode_greedily(
    model: Any, prompts: Sequence[torch.Tensor], budgets: Sequence[int], end_ids: frozenset[int]
) -> list[Decoded]:
    """The most probable token, step by step, until each row has ended by itself or reached its own budget.

    Rows do not see each other, and no row's result depends on the budget of another one. `generate` gives the same
    tokens (tested); this loop keeps no scores, lets finished rows leave the batch, and knows a budget per row.

    Args:
        model: has `model.language_model`, its input embeddings and `lm_head`.
        prompts: one (positions, hidden) tensor of embeddings per row, in the LLM's dtype and on its device.
        budgets: the most tokens each row may write.
        end_ids: tokens that end a row.

    Raises:
        RuntimeError: the model gave a probability that is no number.
    """
    rows = [Row(budget) for budget in budgets]
    embeds, mask = _pad_left(prompts)
    batch = _Batch(list(rows), mask, DynamicCache(config=model.config.text_config))
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    while True:
        tokens = _step(model, batch, embeds, positions, end_ids)
        if all(row.finish_reason for row in batch.rows):
            return [_decoded(row) for row in rows]
        kept = batch.drop_finished()
        if kept is not None:
            tokens, positions = tokens[kept], positions[kept]
        embeds = model.get_input_embeddings()(tokens[:, None])
        positions = positions[:, -1:] + 1
        batch.attention_mask = torch.cat([batch.attention_mask, batch.attention_mask.new_ones(len(tokens), 1)], dim=1)


def _step(
    model: Any, batch: _Batch, embeds: torch.Tensor, positions: torch.Tensor, end_ids: frozenset[int]
) -> torch.Tensor:
    """Run the LLM over new positions and give each row its next token; (rows,) token ids."""
    hidden = model.model.language_model(
        inputs_embeds=embeds,
        attention_mask=batch.attention_mask,
        position_ids=positions,
        past_key_values=batch.cache,
        use_cache=True,
    ).last_hidden_state[:, -1]
    scores: torch.Tensor = model.lm_head(hidden).float()
    best, tokens = torch.max(scores, dim=-1)
    logprobs = best - scores.logsumexp(dim=-1)
    # Both in one tensor: each copy from a GPU makes it wait.
    token_ids, values = torch.stack([tokens.double(), logprobs.double()]).tolist()
    if not all(map(math.isfinite, values)):
        raise RuntimeError("the language model gave scores that are no finite numbers")
    for row, token_id, logprob in zip(batch.rows, token_ids, values, strict=True):
        row.add(int(token_id), logprob, end_ids)
    return tokens


def _pad_left(prompts: Sequence[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Prompts of different lengths as one batch that ends together, and its mask (rows, positions) int64."""
    longest = max(len(prompt) for prompt in prompts)
    embeds = prompts[0].new_zeros(len(prompts), longest, prompts[0].shape[-1])
    mask = torch.zeros(len(prompts), longest, dtype=torch.long, device=embeds.device)
    for row, prompt in enumerate(prompts):
        embeds[row, longest - len(prompt) :] = prompt
        mask[row, longest - len(prompt) :] = 1
    return embeds, mask


def _decoded(row: Row) -> Decoded:
    """A finished row as a result."""
    return Decoded(tuple(row.token_ids), tuple(row.logprobs), row.finish_reason or "length")
