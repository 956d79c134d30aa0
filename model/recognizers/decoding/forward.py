"""What a Qwen3 language model computes: over whole prompts, and over one token of each row.

Source: transformers 5.23 (models/qwen3/modeling_qwen3.py); the same arithmetic with fewer and larger operations.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.nn import functional

from funasr_beam.model.products import add_linear, linear
from funasr_beam.model.recognizers.decoding.slots import BROKEN, EXHAUSTED, RUNNING, STOPPED, Slots
from funasr_beam.model.recognizers.decoding.weights import LayerWeights, Qwen3Weights

_Attend = Callable[[int, torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
"""(layer, queries, keys, values), each (tokens, heads, head size) -> (tokens, query heads x head size)."""


@dataclass(frozen=True)
class Prompts:
    """Prompts that are read together."""

    embeddings: torch.Tensor  # (rows, positions, hidden), zeros behind the shorter ones; reading overwrites it
    lengths: torch.Tensor  # (rows,) int64
    budgets: torch.Tensor  # (rows,) int64: tokens that may be written
    slot_ids: torch.Tensor  # (rows,) int64: their slots


def prefill(weights: Qwen3Weights, slots: Slots, end_ids: torch.Tensor, prompts: Prompts) -> None:
    """Read prompts into their slots, and write the first token of each.

    Nothing of a prompt sees what comes after it, so that what stands behind the shorter ones needs no mask.

    Args:
        weights: of the model.
        slots: take the prompts' keys and values, and their first tokens.
        end_ids: (end tokens,) int64.
        prompts: at least one.
    """
    rows, longest, _ = prompts.embeddings.shape
    hidden = prompts.embeddings.view(rows * longest, -1)
    cosines, sines = (table[:longest].repeat(rows, 1).unsqueeze(1) for table in (slots.cosines, slots.sines))

    def attend(layer: int, queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        queries, keys, values = (
            part.view(rows, longest, -1, part.shape[-1]).transpose(1, 2) for part in (queries, keys, values)
        )
        slots.keys[layer, prompts.slot_ids, :, :longest] = keys
        slots.values[layer, prompts.slot_ids, :, :longest] = values
        groups = weights.query_heads // weights.key_heads
        keys, values = (part.repeat_interleave(groups, dim=1) for part in (keys, values))
        attended = functional.scaled_dot_product_attention(queries, keys, values, is_causal=True)
        return attended.transpose(1, 2).reshape(rows * longest, -1)

    _run_layers(weights, hidden, cosines, sines, attend)
    ends = torch.arange(rows, device=hidden.device) * longest + prompts.lengths - 1
    _begin(slots, prompts, *_choose(weights, hidden[ends]), end_ids)


def step(weights: Qwen3Weights, slots: Slots, end_ids: torch.Tensor, rows: int, positions: int) -> None:
    """Write one more token in each of the first `rows` slots; those of rows that have ended stay as they are.

    Nothing here depends on a number in the tensors, nothing goes to the host, all that stays is in the slots: it can be
    recorded once and replayed.

    Args:
        weights: of the model.
        slots: the rows; running ones are read and written below `positions`.
        end_ids: (end tokens,) int64.
        rows: the slots that are looked at.
        positions: how many positions of each are looked at.
    """
    position = slots.position[:rows]
    hidden = functional.embedding(slots.token[:rows], weights.embedding)
    cosines, sines = (functional.embedding(position, table).unsqueeze(1) for table in (slots.cosines, slots.sines))
    unwritten = slots.places[:positions] > position.unsqueeze(1)
    mask = hidden.new_zeros(rows, positions).masked_fill_(unwritten, -torch.inf)[:, None, None]
    targets = slots.first_rows[:rows] + position.unsqueeze(1)

    def attend(layer: int, queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        for cache, new in ((slots.keys[layer], keys), (slots.values[layer], values)):
            cache.view(-1, cache.shape[-1]).index_put_((targets,), new)
        # Queries that share a key head stand in a row, as if they were positions: keys need not be repeated.
        queries = queries.view(rows, weights.key_heads, -1, queries.shape[-1])
        past_keys, past_values = (cache[layer, :rows, :, :positions] for cache in (slots.keys, slots.values))
        attended = functional.scaled_dot_product_attention(queries, past_keys, past_values, attn_mask=mask)
        return attended.reshape(rows, -1)

    _run_layers(weights, hidden, cosines, sines, attend)
    tokens, logprobs = _choose(weights, hidden)
    _note(slots, rows, tokens, logprobs, end_ids)


def _run_layers(
    weights: Qwen3Weights, hidden: torch.Tensor, cosines: torch.Tensor, sines: torch.Tensor, attend: _Attend
) -> None:
    """All layers, upon `hidden` itself: (tokens, hidden)."""
    for number, layer in enumerate(weights.layers):
        normed = functional.rms_norm(hidden, hidden.shape[-1:], layer.input_gain, weights.epsilon)
        queries, keys, values = _project(weights, layer, normed, cosines, sines)
        add_linear(hidden, attend(number, queries, keys, values), layer.out)
        normed = functional.rms_norm(hidden, hidden.shape[-1:], layer.mlp_gain, weights.epsilon)
        gate, up = linear(normed, layer.gate_up).chunk(2, dim=-1)
        add_linear(hidden, functional.silu(gate).mul_(up), layer.down)


def _project(
    weights: Qwen3Weights, layer: LayerWeights, normed: torch.Tensor, cosines: torch.Tensor, sines: torch.Tensor
) -> tuple[torch.Tensor, ...]:
    """Queries, keys and values; each (tokens, heads, head size), the first two turned by their positions."""
    heads = linear(normed, layer.qkv).view(len(normed), -1, weights.head_size)
    turning, values = torch.split(heads, [weights.query_heads + weights.key_heads, weights.key_heads], dim=1)
    turning = functional.rms_norm(turning, turning.shape[-1:], None, weights.epsilon) * layer.qk_gain
    swapped = turning.roll(weights.head_size // 2, dims=-1)
    turned = torch.addcmul(turning * cosines, swapped, sines)
    return (*torch.split(turned, [weights.query_heads, weights.key_heads], dim=1), values)


def _choose(weights: Qwen3Weights, hidden: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The most probable tokens and their log-probabilities."""
    normed = functional.rms_norm(hidden, hidden.shape[-1:], weights.final_gain, weights.epsilon)
    scores = linear(normed, weights.head)
    tokens = scores.argmax(dim=-1, keepdim=True)
    logprobs = scores.log_softmax(dim=-1, dtype=torch.float32).gather(1, tokens)
    return tokens.squeeze(1), logprobs.squeeze(1)


def _note(slots: Slots, rows: int, tokens: torch.Tensor, logprobs: torch.Tensor, end_ids: torch.Tensor) -> None:
    """Add the tokens to the rows that still run; behind what was written anything may stand."""
    written, status, token = slots.written[:rows], slots.status[:rows], slots.token[:rows]
    slots.token_ids[:rows].scatter_(1, written.unsqueeze(1), tokens.unsqueeze(1))
    slots.logprobs[:rows].scatter_(1, written.unsqueeze(1), logprobs.unsqueeze(1))
    status.copy_(_status_after(status, tokens, logprobs, written >= slots.budget[:rows], end_ids))
    runs = status == RUNNING
    token.copy_(torch.where(runs, tokens, token))
    written.add_(runs)
    slots.position[:rows].add_(runs)


def _begin(slots: Slots, prompts: Prompts, tokens: torch.Tensor, logprobs: torch.Tensor, end_ids: torch.Tensor) -> None:
    """Note the first tokens of rows that take their slots."""
    slot_ids = prompts.slot_ids
    status = _status_after(torch.full_like(tokens, RUNNING), tokens, logprobs, prompts.budgets == 0, end_ids)
    runs = status == RUNNING
    slots.token[slot_ids], slots.status[slot_ids], slots.budget[slot_ids] = tokens, status, prompts.budgets
    slots.written[slot_ids], slots.position[slot_ids] = runs.long(), prompts.lengths - 1 + runs
    slots.token_ids[slot_ids, 0], slots.logprobs[slot_ids, 0] = tokens, logprobs


def _status_after(
    status: torch.Tensor, tokens: torch.Tensor, logprobs: torch.Tensor, is_full: torch.Tensor, end_ids: torch.Tensor
) -> torch.Tensor:
    """What becomes of rows by their next token; (rows,) int64. Those that still run take it.

    Args:
        status: (rows,) int64: before.
        tokens: (rows,) int64.
        logprobs: (rows,) of them.
        is_full: (rows,) bool: the budget is spent.
        end_ids: (end tokens,) int64.
    """
    running = status == RUNNING
    is_end = (tokens.unsqueeze(1) == end_ids).any(dim=1)
    after = status.masked_fill(running & is_full, EXHAUSTED).masked_fill(running & is_end, STOPPED)
    return after.masked_fill(running & ~(logprobs > -torch.inf), BROKEN)
