"""The decoder that suits a loaded model."""

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from funasr_beam.model.recognizers.decoding.engine import DecodingEngine
from funasr_beam.model.recognizers.decoding.limits import EngineLimits
from funasr_beam.model.recognizers.decoding.weights import is_supported
from funasr_beam.model.recognizers.greedy import Decoded, decode_greedily
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
    return Decoder(functools.partial(decode_greedily, model, end_ids=end_ids))
