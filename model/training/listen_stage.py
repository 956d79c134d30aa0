"""Stages 3 and 4: the adaptor learns to put words where the language model expects them; then all parts together."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import FunAsrNanoForConditionalGeneration

from funasr_beam.model.ctc_head import CtcHead
from funasr_beam.model.training.config import Schedule
from funasr_beam.model.training.conversation import Prompts
from funasr_beam.model.training.data import Batch, Dataset, batches, pad
from funasr_beam.model.training.labels import IGNORED
from funasr_beam.model.training.listener import Listener
from funasr_beam.model.training.losses import ctc_loss, frame_loss
from funasr_beam.model.training.simulate import tokens_before

GUIDED_WEIGHT, COUNT_WEIGHT = 0.3, 0.1
ENCODER_WEIGHT, CTC_WEIGHT = 0.5, 0.3
IDEAL_WEIGHT = 0.3


class ListenStage:
    """Real audio through encoder and adaptor into the language model.

    Args:
        adaptor_only: train the adaptor alone, against the audio that the language model was taught with.
        encoder_from: share of the stage after which the encoder and the CTC head learn too.
    """

    def __init__(
        self,
        model: FunAsrNanoForConditionalGeneration,
        head: CtcHead,
        listener: Listener,
        data: Dataset,
        prompts: Prompts,
        schedule: Schedule,
        seed: int,
        adaptor_only: bool = False,
        encoder_from: float = 0.0,
    ) -> None:
        self.name = "adaptor" if adaptor_only else "listen"
        self.tower, self.adaptor = model.model.audio_tower, model.model.multi_modal_projector
        self.head, self.listener, self.data, self.prompts = head, listener, data, prompts
        self.schedule, self.seed, self.adaptor_only, self.encoder_from = schedule, seed, adaptor_only, encoder_from
        self.blank = head.config.blank_id
        self.modules = nn.ModuleDict({"tower": self.tower, "head": head, "adaptor": self.adaptor, "listener": listener})

    def trained(self) -> list[nn.Parameter]:
        """The adaptor, or everything."""
        return list(self.adaptor.parameters() if self.adaptor_only else self.modules.parameters())

    def batches(self, start: int) -> Iterator[Batch]:
        """Augmented batches; step n is the same batch in every run."""
        seed = self.seed + (1000 if self.adaptor_only else 2000)
        for step, indices in enumerate(batches(self.data.store.lengths, self.schedule.batch_frames, seed)):
            if step >= start:
                yield self.data.batch(indices, np.random.default_rng((seed, step)))

    def loss(self, batch: Batch, step: int, progress: float) -> tuple[Tensor, dict[str, float]]:
        """The losses of the stage, weighted."""
        joint = not self.adaptor_only and progress >= self.encoder_from
        with torch.autocast("cpu", torch.bfloat16):
            with torch.set_grad_enabled(joint):
                hidden = self.tower(input_features=batch.features, input_features_mask=batch.mask).last_hidden_state
            audio = self.adaptor(hidden, batch.mask)
            losses = {"ideal": self._ideal_loss(audio, batch)}
            total = losses["ideal"] * (1.0 if self.adaptor_only else IDEAL_WEIGHT * (1 - progress))
            if not self.adaptor_only:
                losses |= self._listen(batch, audio, step)
                total = total + losses["text"] + GUIDED_WEIGHT * losses["guided"] + COUNT_WEIGHT * losses["count"]
            if joint:
                losses |= self._encoder_losses(batch, self.head(hidden, batch.mask))
                total = total + ENCODER_WEIGHT * (losses["frames"] + CTC_WEIGHT * losses["ctc"])
        return total, {name: value.item() for name, value in losses.items()}

    def _listen(self, batch: Batch, audio: Tensor, step: int) -> dict[str, Tensor]:
        generator = np.random.default_rng((self.seed, 3, step))
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
