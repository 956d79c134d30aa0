"""How far the times of a CTC head are from the known ones, and the offset that puts them right."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import FunAsrNanoForConditionalGeneration

from funasr_beam.model.alignment import align_words
from funasr_beam.model.ctc_head import CtcHead
from funasr_beam.model.training.data import Dataset, WordEncoder, group
from funasr_beam.model.training.labels import FRAME_S


@torch.no_grad()
def time_errors(
    model: FunAsrNanoForConditionalGeneration,
    head: CtcHead,
    data: Dataset,
    encoder: WordEncoder,
    indices: Sequence[int],
    batch_frames: int = 6400,
) -> NDArray[np.float64]:
    """(words, 2) aligned minus known start and end, in seconds, over the words of some utterances."""
    errors: list[tuple[float, float]] = []
    chosen = np.array(sorted(indices, key=lambda index: data.store.lengths[index]), dtype=np.int64)
    for some in group(data.store.lengths, chosen, batch_frames):
        batch = data.batch(some, None)
        hidden = model.model.audio_tower(
            input_features=batch.features, input_features_mask=batch.mask
        ).last_hidden_state
        for index, scores, frames in zip(some, head(hidden, batch.mask), batch.lengths.tolist(), strict=True):
            words = data.store.utterances[index].words
            times = align_words(
                scores[:frames],
                [encoder(word) for word, _, _ in words],
                head.config.blank_id,
                head.config.frame_s,
                head.config.offset_s,
                frames * FRAME_S + 1.0,
            )
            pairs = zip(times or [], words, strict=False)
            errors += [(time.start_s - start, time.end_s - end) for time, (_, start, end) in pairs]
    return np.array(errors, dtype=np.float64).reshape(-1, 2)
