"""What the language and the listen stages share: the forward pass over a conversation and its losses."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from transformers import FunAsrNanoForConditionalGeneration

from funasr_beam.model.training.conversation import Conversation, guided_rows
from funasr_beam.model.training.labels import IGNORED

GUIDED_LAYERS = (2, 3)
GUIDED_HEADS = 2
COUNT_LAYER = 2
COUNT_PERIODS = (160.0, 40.0, 16.0, 8.0)


class Listener(nn.Module):
    """The language model with what training adds to it: maps for the history code, and a probe that counts tokens.

    The audio of a token is its embedding plus a linear code of the two tokens before it: so a position of the text
    finds its place in the audio by what was said before. The probe asks the lower layers to know how many tokens
    were heard (in the audio) and written (in the text): it tells repeated digits apart. Both go in the end.
    """

    def __init__(self, model: FunAsrNanoForConditionalGeneration, silence: int) -> None:
        super().__init__()
        size = model.config.text_config.hidden_size
        self.language = model.model.language_model
        self.silence = silence
        self.before = nn.ModuleList([nn.Linear(size, size, bias=False) for _ in range(2)])
        self.count = nn.Linear(size, 2 * len(COUNT_PERIODS))

    def ideal_audio(self, frames: Tensor, before: Sequence[Tensor]) -> Tensor:
        """Embeddings of (batch, frames) tokens, each with those before it, of the same shape, IGNORED for none."""
        table = self.language.embed_tokens
        audio: Tensor = table(frames)
        for linear, tokens in zip(self.before, before, strict=True):
            known = (tokens != IGNORED).unsqueeze(-1)
            audio = audio + linear(table(tokens.clamp(min=0))) * known
        return audio

    def losses(
        self,
        conversation: Conversation,
        audio: Tensor,
        audio_mask: Tensor,
        ranges: Sequence[NDArray[np.int64]],
        audio_id: int,
    ) -> dict[str, Tensor]:
        """Next-token, guided-attention and counting losses of a batch.

        Args:
            conversation: the batch.
            audio: (batch, frames, size) embeddings.
            audio_mask: (batch, frames), 1 for frames.
            ranges: first and past-last frame of each token; empty where unknown.
            audio_id: the audio token.
        """
        embeds = self.language.embed_tokens(conversation.ids)
        places = (conversation.ids == audio_id).unsqueeze(-1)
        embeds = embeds.masked_scatter(places, audio[audio_mask.bool()].to(embeds.dtype))
        out = self.language(inputs_embeds=embeds, output_attentions=True, output_hidden_states=True, use_cache=False)
        asked = conversation.targets != IGNORED
        logits = functional.linear(out.last_hidden_state[asked], self.language.embed_tokens.weight)
        targets = conversation.targets[asked]
        logits = logits.float()
        result = {"text": functional.cross_entropy(logits, targets)}
        result["wrong"] = (logits.argmax(-1) != targets).float().mean()
        rows, positions, inside = guided_rows(conversation, ranges)
        if len(rows):
            result["guided"] = guided_loss(out.attentions, rows, positions, inside)
            result["count"] = self._count_loss(out.hidden_states[COUNT_LAYER], rows, positions, inside, ranges)
        return result

    def _count_loss(
        self, hidden: Tensor, rows: Tensor, positions: Tensor, inside: Tensor, ranges: Sequence[NDArray[np.int64]]
    ) -> Tensor:
        """How badly the probe reads the ordinal of a token off the text position and off the token's frames."""
        ordinals = torch.cat([torch.arange(len(item)) for item in ranges]).float()
        code = count_code(ordinals)
        read = self.count(hidden).float()
        text = (read[rows, positions] - code).pow(2).mean()
        products = torch.einsum("nlc,nc->nl", read[rows], code)
        distances = read.pow(2).sum(-1)[rows] - 2 * products + code.pow(2).sum(-1, keepdim=True)
        heard: Tensor = (distances * inside).sum() / inside.sum() / code.shape[-1]
        total: Tensor = text + heard
        return total


def count_code(ordinals: Tensor) -> Tensor:
    """(n, 8) sines and cosines of ordinals."""
    angles = ordinals.unsqueeze(-1) * (2 * math.pi / torch.tensor(COUNT_PERIODS))
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


def guided_loss(attentions: Sequence[Tensor], rows: Tensor, positions: Tensor, inside: Tensor) -> Tensor:
    """Mean -log of the attention that guided heads pay to the frames of the token that is to be written.

    Args:
        attentions: by layer, (batch, heads, positions, positions).
        rows: (tokens,) row of each token that is to be written.
        positions: (tokens,) position that writes it.
        inside: (tokens, positions) whether a position is one of its frames.
    """
    losses = []
    for layer in GUIDED_LAYERS:
        paid = attentions[layer][rows, :GUIDED_HEADS, positions].float()
        losses.append(-((paid * inside.unsqueeze(1)).sum(-1) + 1e-4).log().mean())
    return torch.stack(losses).mean()
