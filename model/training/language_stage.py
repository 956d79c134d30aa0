"""Stage 2: the language model learns the texts and, above all, to copy what it hears, from simulated audio."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from funasr_beam.model.training.config import Schedule
from funasr_beam.model.training.conversation import Conversation
from funasr_beam.model.training.data import pad
from funasr_beam.model.training.labels import IGNORED
from funasr_beam.model.training.parts import Parts
from funasr_beam.model.training.simulate import Copied, random_copy, spoken_faster, tokens_before
from funasr_beam.model.training.trainer import ProcessGroup

CORPUS_SHARE, DIGIT_SHARE = 0.5, 0.25
NOISE, BLUR = 0.7, 0.4
GUIDED_WEIGHT, COUNT_WEIGHT = 0.5, 0.3
SLOWEST = 6


@dataclass(frozen=True)
class Simulated:
    """A batch of conversations with simulated audio: labels of frames, the tokens before them, and a seed for noise."""

    conversation: Conversation
    copies: list[Copied]
    seed: int


class LanguageStage:
    """Copying from short, fast, then longer and slower simulated audio."""

    name = "language"

    def __init__(self, parts: Parts, schedule: Schedule, digits: NDArray[np.int64], seed: int) -> None:
        self.listener, self.data, self.prompts, self.blank = parts.listener, parts.data, parts.prompts, parts.blank
        self.schedule, self.digits, self.seed = schedule, digits, seed
        self.words = np.unique(np.concatenate([item.tokens for item in parts.data.labels]))
        self.modules = nn.ModuleDict({"listener": parts.listener})
        self.progress = 0.0

    def trained(self) -> list[nn.Parameter]:
        """The language model and what the listener adds."""
        return list(self.modules.parameters())

    def batches(self, start: int, processes: ProcessGroup) -> Iterator[Simulated]:
        """Random batches; their length grows with the progress of the stage."""
        index = start * processes.size + processes.rank
        while True:
            yield self._batch(np.random.default_rng((self.seed, 7, index)), index)
            index += processes.size

    def loss(self, batch: Simulated, step: int, progress: float) -> tuple[Tensor, dict[str, float]]:
        """Next-token loss with guided attention and counting."""
        self.progress = progress
        longest = max(len(item.frames) for item in batch.copies)
        frames = pad([torch.from_numpy(item.frames) for item in batch.copies], longest, IGNORED)
        mask = frames != IGNORED
        frames = frames.masked_fill(frames == self.blank, self.listener.silence).clamp(min=0)
        before = [
            pad([torch.from_numpy(tokens_before(c, back)) for c in batch.copies], longest, IGNORED) for back in (1, 2)
        ]
        with torch.autocast("cpu", torch.bfloat16):
            audio = self._disturb(self.listener.ideal_audio(frames, before), batch.seed)
            losses = self.listener.losses(
                batch.conversation, audio, mask, [item.ranges for item in batch.copies], self.prompts.audio
            )
        total = losses["text"] + GUIDED_WEIGHT * losses["guided"] + COUNT_WEIGHT * losses["count"]
        return total, {name: value.item() for name, value in losses.items()}

    def _batch(self, generator: np.random.Generator, index: int) -> Simulated:
        share = 0.3 + 0.7 * min(1.0, 1.5 * self.progress)
        longest = 20 + 180 * min(1.0, 1.5 * self.progress)
        copies: list[Copied] = []
        while sum(len(item.frames) + 2 * len(item.tokens) + 16 for item in copies) < self.schedule.batch_frames:
            copy = self._copy(generator, share, longest)
            if len(copy.frames) <= longest and len(copy.tokens):
                copies.append(copy)
        prompts = [self.prompts.draw(item.language, item.tokens, generator) for item in copies]
        conversation = self.prompts.conversation(prompts, [len(c.frames) for c in copies], [c.tokens for c in copies])
        return Simulated(conversation, copies, index)

    def _copy(self, generator: np.random.Generator, share: float, longest: float) -> Copied:
        kind = generator.random()
        if kind < CORPUS_SHARE:
            labels = self.data.labels[int(generator.integers(len(self.data.labels)))]
            return spoken_faster(labels, share * generator.uniform(0.8, 1.2), self.blank)
        words = self.digits if kind < CORPUS_SHARE + DIGIT_SHARE else self.words
        slowest = max(1, round(SLOWEST * share))
        count = int(generator.integers(1, max(3, int(1.6 * longest / (slowest + 1)))))
        return random_copy(words, min(count, 45), slowest, self.blank, str(generator.choice(["en", "zh"])), generator)

    def _disturb(self, audio: Tensor, seed: int) -> Tensor:
        """Noise of a strength of its own for each utterance, and some frames blurred with other ones."""
        random = torch.Generator().manual_seed(seed)
        scale = audio.detach().float().pow(2).mean().sqrt()
        strength = NOISE * torch.rand(len(audio), 1, 1, generator=random)
        noise = torch.randn(audio.shape, generator=random) * strength * scale
        blur = BLUR * torch.rand(*audio.shape[:2], 1, generator=random).pow(4)
        return audio * (1 - blur) + audio.roll(1, 0) * blur + noise
