"""How a model under training does on a held-out set: error rates of the CTC head and of the language model."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor
from transformers import FunAsrNanoForConditionalGeneration, PreTrainedTokenizerFast

from funasr_beam.model.ctc_head import CtcHead
from funasr_beam.model.prompts import build_prompt
from funasr_beam.model.records import RecognitionOptions
from funasr_beam.model.training.conversation import Prompts
from funasr_beam.model.training.data import Dataset, group


def edit_distance(reference: Sequence[str], hypothesis: Sequence[str]) -> int:
    """Insertions, deletions and substitutions that turn one sequence into the other."""
    row = list(range(len(hypothesis) + 1))
    for i, wanted in enumerate(reference, 1):
        diagonal, row[0] = row[0], i
        for j, got in enumerate(hypothesis, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (wanted != got))
    return row[-1]


def units(text: str, language: str) -> list[str]:
    """What errors are counted in: words, in Mandarin characters."""
    return list(text.replace(" ", "")) if language == "zh" else text.split()


def error_rates(rows: Iterable[tuple[str, str, str, str]]) -> dict[str, float]:
    """Percent errors for each group of (group, language, reference, hypothesis) rows."""
    errors: dict[str, int] = defaultdict(int)
    totals: dict[str, int] = defaultdict(int)
    for name, language, reference, hypothesis in rows:
        wanted = units(reference, language)
        errors[name] += edit_distance(wanted, units(hypothesis, language))
        totals[name] += len(wanted)
    return {name: round(100 * errors[name] / totals[name], 2) for name in sorted(totals)}


@torch.no_grad()
def ctc_texts(
    model: FunAsrNanoForConditionalGeneration,
    head: CtcHead,
    data: Dataset,
    tokenizer: PreTrainedTokenizerFast,
    batch_frames: int = 6400,
) -> list[str]:
    """Greedy CTC text of every utterance of a data set."""
    texts = [""] * len(data.store)
    blank = head.config.blank_id
    for indices in group(data.store.lengths, np.argsort(data.store.lengths), batch_frames):
        batch = data.batch(indices, None)
        hidden = model.model.audio_tower(input_features=batch.features, input_features_mask=batch.mask)
        best = head(hidden.last_hidden_state, batch.mask).argmax(-1)
        for index, row, length in zip(indices, best, batch.lengths.tolist(), strict=True):
            tokens = torch.unique_consecutive(row[:length])
            texts[index] = tokenizer.decode(tokens[tokens != blank].tolist(), skip_special_tokens=True)
    return texts


@torch.no_grad()
def llm_texts(
    model: FunAsrNanoForConditionalGeneration,
    data: Dataset,
    prompts: Prompts,
    language_given: bool = True,
    batch_frames: int = 6400,
) -> list[str]:
    """Greedy text of the language model for every utterance of a data set, ITN off."""
    texts = [""] * len(data.store)
    for indices in group(data.store.lengths, np.argsort(data.store.lengths), batch_frames):
        batch = data.batch(indices, None)
        rows = []
        for item, frames in zip(batch.labels, batch.lengths.tolist(), strict=True):
            options = RecognitionOptions(language=item.language if language_given else None)
            before, after = prompts.split(build_prompt(options, itn=False))
            rows.append([*before, *[prompts.audio] * frames, *after])
        ids, attention = left_padded(rows, prompts.padding)
        written = model.generate(
            input_ids=ids,
            attention_mask=attention,
            input_features=batch.features,
            input_features_mask=batch.mask,
            max_new_tokens=100,
            do_sample=False,
        )
        for index, row in zip(indices, written[:, ids.shape[1] :], strict=True):
            texts[index] = prompts.tokenizer.decode(row, skip_special_tokens=True)
    return texts


def left_padded(rows: Sequence[Sequence[int]], padding: int) -> tuple[Tensor, Tensor]:
    """Token rows of one length, filled up on the left, and the attention mask that hides the filling."""
    longest = max(map(len, rows))
    ids = torch.tensor([[padding] * (longest - len(row)) + list(row) for row in rows])
    attention = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows])
    return ids, attention
