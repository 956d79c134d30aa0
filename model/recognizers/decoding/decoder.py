"""The decoder that suits a loaded model."""

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from funasr_beam.model.batching import FEW_BATCHES_S, make_batches
from funasr_beam.model.recognizers.decoding.engine import DecodingEngine
from funasr_beam.model.recognizers.decoding.limits import EngineLimits
from funasr_beam.model.recognizers.decoding.weights import is_supported
from funasr_beam.model.recognizers.greedy import Decoded, decode_greedily
from funasr_beam.model.recognizers.memory_needs import copied_position_bytes
from funasr_beam.model.stage_clock import StageClock


@dataclass(frozen=True)
class Decoder:
    """Embeddings of prompts and their budgets of tokens -> what was written, in order; see `DecodingEngine.decode`."""

    decode: Callable[[Sequence[torch.Tensor], Sequence[int]], list[Decoded]]
    release: Callable[[], None] = lambda: None  # memory that is held between calls

    def __call__(self, prompts: Sequence[torch.Tensor], budgets: Sequence[int]) -> list[Decoded]:
        """What was written, in order."""
        return self.decode(prompts, budgets)

    @contextlib.contextmanager
    def giving_memory_back(self) -> Iterator[None]:
        """What fails inside finds more memory when it is tried again: encoding may lack what decoding holds."""
        try:
            yield
        except RuntimeError:
            self.release()
            raise


def load_decoder(
    model: Any, end_ids: frozenset[int], limits: EngineLimits | None = None, clock: StageClock | None = None
) -> Decoder:
    """The engine for a Qwen3, which takes over its weights; for any other language model transformers' own layers.

    Args:
        model: of transformers, on its device and in its dtype; it must not be moved or cast afterwards.
        end_ids: tokens that end a text.
        limits: how much is decoded at once.
        clock: the engine tells it where its time goes.
    """
    if is_supported(model):
        engine = DecodingEngine(model, end_ids, limits, clock=clock)
        return Decoder(engine.decode, engine.release)
    return Decoder(functools.partial(_decode_in_turns, model, end_ids, limits or EngineLimits()))


def _decode_in_turns(
    model: Any,
    end_ids: frozenset[int],
    limits: EngineLimits,
    prompts: Sequence[torch.Tensor],
    budgets: Sequence[int],
) -> list[Decoded]:
    """What `decode_greedily` gives, in order, of as many rows at once as the limits allow, or of one."""
    number = model.lm_head.weight.element_size()
    positions = max(1, limits.kv_bytes // copied_position_bytes(model.config.text_config, number))
    rows = max(1, min(limits.max_rows, limits.prefill_tokens // max(map(len, prompts), default=1)))
    needed = [len(prompt) + budget for prompt, budget in zip(prompts, budgets, strict=True)]
    found: dict[int, Decoded] = {}
    for places in make_batches(needed, positions, rows, FEW_BATCHES_S):
        own = [prompts[place] for place in places], [budgets[place] for place in places]
        found.update(zip(places, decode_greedily(model, *own, end_ids), strict=True))
    return [found[place] for place in range(len(prompts))]
