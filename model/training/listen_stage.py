"""Stages 3 and 4: the adaptor learns to put words where the language model expects them; then all parts together."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from funasr_beam.model.training.config import Schedule
from funasr_beam.model.training.data import Batch, batches, pad
from funasr_beam.model.training.labels import IGNORED
from funasr_beam.model.training.losses import ctc_loss, frame_loss
from funasr_beam.model.training.parts import Parts
from funasr_beam.model.training.simulate import tokens_before
from funasr_beam.model.training.trainer import ProcessGroup

WEIGHTS = {"text": 1.0, "guided": 0.3, "count": 0.1, "frames": 0.7, "ctc": 0.2}
IDEAL_WEIGHT = 0.3
LISTEN_SHARE = 0.5


class ListenStage:
    """Real audio through encoder and adaptor into the language model.

    Args:
        adaptor_only: train the adaptor alone, against the audio that the language model was taught with.
    """

    def __init__(self, parts: Parts, schedule: Schedule, seed: int, adaptor_only: bool = False) -> None:
        self.name = "adaptor" if adaptor_only else "listen"
        self.tower, self.adaptor = parts.model.model.audio_tower, parts.model.model.multi_modal_projector
        self.head, self.listener, self.data, self.prompts = parts.head, parts.listener, parts.data, parts.prompts
        self.schedule, self.seed, self.adaptor_only, self.blank = schedule, seed, adaptor_only, parts.blank
        self.modules = nn.ModuleDict(
            {"tower": self.tower, "head": self.head, "adaptor": self.adaptor, "listener": self.listener}
        )

    def trained(self) -> list[nn.Parameter]:
        """The adaptor, or everything."""
        return list(self.adaptor.parameters() if self.adaptor_only else self.modules.parameters())

    def batches(self, start: int, processes: ProcessGroup) -> Iterator[Batch]:
        """Augmented batches; the n-th is the same in every run."""
        seed = self.seed + (1000 if self.adaptor_only else 2000)
        for index, indices in enumerate(batches(self.data.store.lengths, self.schedule.batch_frames, seed)):
            if index >= start * processes.size and index % processes.size == processes.rank:
                yield self.data.batch(indices, np.random.default_rng((seed, index)))

    def loss(self, batch: Batch, step: int, progress: float) -> tuple[Tensor, dict[str, float]]:
        """The losses of the stage, weighted; the language model hears LISTEN_SHARE of each batch."""
        joint = not self.adaptor_only
        with torch.autocast("cpu", torch.bfloat16):
            with torch.set_grad_enabled(joint):
                hidden = self.tower(input_features=batch.features, input_features_mask=batch.mask).last_hidden_state
            heard = batch if self.adaptor_only else batch.first(LISTEN_SHARE)
            audio = self.adaptor(hidden[: len(heard.labels)], heard.mask)
            losses = {"ideal": self._ideal_loss(audio, heard)}
            total = losses["ideal"] * (IDEAL_WEIGHT * (1 - progress) if joint else 1.0)
            if joint:
                losses |= self._listen(heard, audio, step)
                losses |= self._encoder_losses(batch, self.head(hidden, batch.mask))
                total = total + sum(weight * losses[name] for name, weight in WEIGHTS.items() if name in losses)
        return total, {name: value.item() for name, value in losses.items()}

    def _listen(self, batch: Batch, audio: Tensor, step: int) -> dict[str, Tensor]:
        generator = np.random.default_rng((self.seed, 3, step, batch.features.shape[0], int(batch.mask.sum())))
        prompts = [self.prompts.draw(item.language, item.tokens, generator) for item in batch.labels]
        lengths = batch.lengths.tolist()
        conversation = self.prompts.conversation(prompts, lengths, [item.tokens for item in batch.labels])
        ranges = [item.ranges for item in batch.labels]
        return self.listener.losses(conversation, audio, batch.mask, ranges, self.prompts.audio)

    def _ideal_loss(self, audio: Tensor, batch: Batch) -> Tensor:
        """Squared distance to the ideal audio, relative to its power, over the frames with a label."""
        labels = batch.frame_labels()
        length = labels.shape[1]
        known = labels != IGNORED
        if not known.any():
            return audio.sum() * 0
        frames = labels.masked_fill(labels == self.blank, self.listener.silence).clamp(min=0)
        before = [
            pad([torch.from_numpy(tokens_before(c, back)) for c in batch.labels], length, IGNORED) for back in (1, 2)
        ]
        with torch.no_grad():
            ideal = self.listener.ideal_audio(frames, before).float()[known]
        return functional.mse_loss(audio.float()[known], ideal) / ideal.pow(2).mean()

    def _encoder_losses(self, batch: Batch, log_probs: Tensor) -> dict[str, Tensor]:
        tokens = [torch.from_numpy(item.tokens) for item in batch.labels]
        return {
            "frames": frame_loss(log_probs, batch.frame_labels()),
            "ctc": ctc_loss(log_probs, batch.lengths, tokens, self.blank),
        }
