"""Stage 1: the encoder and the CTC head learn what is said in each frame."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from funasr_beam.model.training.config import Schedule
from funasr_beam.model.training.data import Batch, batches
from funasr_beam.model.training.labels import IGNORED
from funasr_beam.model.training.losses import ctc_loss, frame_loss
from funasr_beam.model.training.parts import Parts
from funasr_beam.model.training.trainer import ProcessGroup

CTC_WEIGHT = 0.3
HISTORY_WEIGHT = 0.2


class EncoderStage:
    """Frame labels where word times are known, CTC, and the token before each frame's own.

    That last one is what a language model looks for when it wants to know where it is in the audio; a linear layer that
    is thrown away afterwards asks the encoder to keep it.
    """

    name = "encoder"

    def __init__(self, parts: Parts, schedule: Schedule, seed: int) -> None:
        self.tower, self.head, self.data = parts.model.model.audio_tower, parts.head, parts.data
        self.schedule, self.seed, self.blank = schedule, seed, parts.blank
        self.history = nn.Linear(parts.head.config.encoder_size, parts.head.config.vocab_size + 1)
        self.modules = nn.ModuleDict({"tower": self.tower, "head": self.head, "history": self.history})

    def trained(self) -> list[nn.Parameter]:
        """Every parameter of encoder and head."""
        return list(self.modules.parameters())

    def batches(self, start: int, processes: ProcessGroup) -> Iterator[Batch]:
        """Augmented batches; the n-th is the same in every run."""
        for index, indices in enumerate(batches(self.data.store.lengths, self.schedule.batch_frames, self.seed)):
            if index >= start * processes.size and index % processes.size == processes.rank:
                yield self.data.batch(indices, np.random.default_rng((self.seed, index)))

    def loss(self, batch: Batch, step: int, progress: float) -> tuple[Tensor, dict[str, float]]:
        """Frame, CTC and history losses, weighted."""
        with torch.autocast("cpu", torch.bfloat16):
            hidden = self.tower(input_features=batch.features, input_features_mask=batch.mask).last_hidden_state
            log_probs = self.head(hidden, batch.mask)
            history = self.history(hidden).float().log_softmax(-1)
        labels = batch.frame_labels()
        frames = frame_loss(log_probs, labels)
        before = frame_loss(history, history_labels(labels, self.blank))
        tokens = [torch.from_numpy(item.tokens) for item in batch.labels]
        ctc = ctc_loss(log_probs, batch.lengths, tokens, self.blank)
        total = frames + CTC_WEIGHT * ctc + HISTORY_WEIGHT * before
        return total, {"frames": frames.item(), "ctc": ctc.item(), "history": before.item()}


def history_labels(labels: Tensor, blank: int) -> Tensor:
    """(batch, frames) the token before the one spoken in each frame; IGNORED in pauses and before the second token."""
    rows = labels.numpy()
    out = np.full_like(rows, IGNORED)
    for row, target in zip(rows, out, strict=True):
        changes = np.flatnonzero(np.diff(row, prepend=blank))
        starts = [index for index in changes if row[index] not in (blank, IGNORED)]
        for before, start in pairwise(starts):
            end = start + int(np.argmax(np.append(row[start:], IGNORED) != row[start]))
            target[start:end] = row[before]
    return torch.from_numpy(out)
