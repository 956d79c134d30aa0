"""The losses: frames and CTC for the encoder, next tokens and guided attention for the language model."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from funasr_beam.model.training.labels import IGNORED


def frame_loss(log_probs: Tensor, labels: Tensor) -> Tensor:
    """Mean negative log-likelihood of frame labels: (batch, frames, classes) and (batch, frames); 0 without any."""
    known = labels != IGNORED
    if not known.any():
        return log_probs.sum() * 0
    return functional.nll_loss(log_probs.flatten(0, 1), labels.flatten(), ignore_index=IGNORED)


def ctc_loss(log_probs: Tensor, lengths: Tensor, tokens: list[Tensor], blank: int) -> Tensor:
    """CTC loss, a token on average.

    Args:
        log_probs: (batch, frames, classes).
        lengths: (batch,) frames of each row.
        tokens: of each row, (tokens,).
        blank: the class of no token.
    """
    return functional.ctc_loss(
        log_probs.transpose(0, 1),
        torch.cat(tokens),
        lengths,
        torch.tensor([len(item) for item in tokens]),
        blank=blank,
        zero_infinity=True,
    )
