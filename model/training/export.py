"""A trained model as a checkpoint folder that transformers' Auto classes and the recogniser load, offline."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from transformers import (
    FunAsrNanoFeatureExtractor,
    FunAsrNanoForConditionalGeneration,
    FunAsrNanoProcessor,
    PreTrainedTokenizerFast,
)

from funasr_beam.model.ctc_head import CtcHead
from funasr_beam.model.training.chat_template import CHAT_TEMPLATE
from funasr_beam.model.training.tokenizer import AUDIO

DECLARATION_NAME = "funasr_beam.json"


def export(
    folder: Path,
    model: FunAsrNanoForConditionalGeneration,
    head: CtcHead,
    tokenizer: PreTrainedTokenizerFast,
    declaration: Mapping[str, object],
) -> None:
    """Write weights in float16, configuration, tokenizer, processor, CTC head and declaration into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    half = _half_copy(model)
    half.save_pretrained(folder)
    processor = FunAsrNanoProcessor(
        feature_extractor=FunAsrNanoFeatureExtractor(return_attention_mask=True),
        tokenizer=tokenizer,
        chat_template=CHAT_TEMPLATE,
        audio_token=AUDIO,
    )
    processor.save_pretrained(folder)
    head.save(folder)
    text = json.dumps(dict(declaration), indent=2, ensure_ascii=False)
    (folder / DECLARATION_NAME).write_text(text + "\n", encoding="utf-8")


def _half_copy(model: FunAsrNanoForConditionalGeneration) -> FunAsrNanoForConditionalGeneration:
    half = type(model)(model.config)
    half.load_state_dict(model.state_dict())
    half.generation_config = model.generation_config
    half.to(torch.float16)
    half.config.dtype = torch.float16
    return half
