"""What the language model reads in training: prompt, audio, and the text it is to write, one row an utterance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from funasr_beam.model.prompts import AUDIO_TOKEN, build_prompt
from funasr_beam.model.records import RecognitionOptions
from funasr_beam.model.training.data import PADDING
from funasr_beam.model.training.labels import IGNORED
from funasr_beam.model.training.tokenizer import AUDIO, PAD, TURN_END

LANGUAGE_GIVEN, ITN_OFF, HOTWORDS = 0.5, 0.85, 0.05


@dataclass(frozen=True)
class Conversation:
    """A right-padded batch; under causal attention what stands on the right of a row's end does not change the row.

    Attributes:
        ids: (batch, length) with the audio token once for each frame.
        targets: (batch, length) the next token where the model is to write, else IGNORED.
        audio_at: (batch,) where the audio begins.
        text_at: (batch,) the last position of the prompt, from which the first token of the text is predicted.
    """

    ids: Tensor
    targets: Tensor
    audio_at: list[int]
    text_at: list[int]


class Prompts:
    """Draws prompts as people will write them and splits them into the tokens before and after the audio."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self.tokenizer = tokenizer
        self.audio, self.padding, self.end = (
            int(tokenizer.convert_tokens_to_ids(token)) for token in (AUDIO, PAD, TURN_END)
        )
        self.known: dict[str, tuple[list[int], list[int]]] = {}

    def draw(
        self, language: str, tokens: NDArray[np.int64], generator: np.random.Generator
    ) -> tuple[list[int], list[int]]:
        """Tokens before and after the audio of a random prompt for an utterance."""
        hotwords: tuple[str, ...] = ()
        if len(tokens) and generator.random() < HOTWORDS:
            words = generator.choice(tokens, size=min(3, len(tokens)), replace=False)
            hotwords = tuple(self.tokenizer.decode([int(word)]) for word in words)
        given = language if generator.random() < LANGUAGE_GIVEN else None
        options = RecognitionOptions(language=given, hotwords=hotwords)
        return self.split(build_prompt(options, itn=generator.random() > ITN_OFF))

    def split(self, prompt: str) -> tuple[list[int], list[int]]:
        """Tokens before and after the audio of a prompt."""
        if prompt not in self.known:
            before, after = prompt.split(AUDIO_TOKEN)
            encode = self.tokenizer.encode
            self.known[prompt] = (
                encode(before, add_special_tokens=False),
                encode(after, add_special_tokens=False),
            )
        return self.known[prompt]

    def conversation(
        self, prompts: Sequence[tuple[list[int], list[int]]], frames: Sequence[int], texts: Sequence[NDArray[np.int64]]
    ) -> Conversation:
        """Prompts, audio of so many frames and texts laid out as one batch."""
        rows, audio_at, text_at = [], [], []
        for (before, after), count, text in zip(prompts, frames, texts, strict=True):
            rows.append([*before, *[self.audio] * count, *after, *text.tolist()])
            audio_at.append(len(before))
            text_at.append(len(before) + count + len(after) - 1)
        longest = -(-max(map(len, rows)) // PADDING) * PADDING
        ids = torch.full((len(rows), longest), self.padding)
        targets = torch.full_like(ids, IGNORED)
        for index, (row, start, text) in enumerate(zip(rows, text_at, texts, strict=True)):
            ids[index, : len(row)] = torch.tensor(row)
            targets[index, start : start + len(text) + 1] = torch.tensor([*text.tolist(), self.end])
        return Conversation(ids, targets, audio_at, text_at)


def guided_rows(conversation: Conversation, ranges: Sequence[NDArray[np.int64]]) -> tuple[Tensor, Tensor, Tensor]:
    """Which positions should attend to which frames.

    Returns:
        (n,) row of the batch, (n,) position that predicts a token, (n, length) 1 on the frames of that token.
    """
    batch, position, spans = [], [], []
    for row, item in enumerate(ranges):
        for index, (first, last) in enumerate(item.tolist()):
            batch.append(row)
            position.append(conversation.text_at[row] + index)
            spans.append((conversation.audio_at[row] + first, conversation.audio_at[row] + last))
    edges = torch.tensor(spans, dtype=torch.long).reshape(-1, 2)
    columns = torch.arange(conversation.ids.shape[1])
    inside = (columns >= edges[:, :1]) & (columns < edges[:, 1:])
    return torch.tensor(batch, dtype=torch.long), torch.tensor(position, dtype=torch.long), inside.float()
