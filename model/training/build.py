"""A new, untrained Fun-ASR-Nano model of a given shape, with its CTC head."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import FunAsrNanoConfig, FunAsrNanoForConditionalGeneration, GenerationConfig, PreTrainedTokenizerFast

from funasr_beam.model.ctc_head import CtcHead, CtcHeadConfig
from funasr_beam.model.training.config import ModelShape
from funasr_beam.model.training.tokenizer import AUDIO, PAD, TURN_END


def build_model(
    shape: ModelShape, tokenizer: PreTrainedTokenizerFast, attention: str = "sdpa"
) -> FunAsrNanoForConditionalGeneration:
    """An untrained model whose token ids are the tokenizer's."""
    end, padding, audio = (int(tokenizer.convert_tokens_to_ids(token)) for token in (TURN_END, PAD, AUDIO))
    config = FunAsrNanoConfig(
        audio_config={
            "model_type": "fun_asr_nano_encoder",
            "hidden_size": shape.encoder_size,
            "num_attention_heads": shape.encoder_heads,
            "intermediate_size": shape.encoder_feed_forward,
            "num_hidden_layers": shape.encoder_layers,
            "num_timestamp_prediction_layers": shape.timestamp_layers,
            "hidden_dropout": shape.encoder_dropout,
            "attention_dropout": 0.0,
        },
        adaptor_config={
            "hidden_size": shape.language_size,
            "intermediate_size": shape.language_size // 4,
            "num_attention_heads": shape.adaptor_heads,
            "projector_hidden_size": shape.projector_size,
            "num_hidden_layers": shape.adaptor_layers,
        },
        text_config=_language_config(shape, len(tokenizer), end, padding),
        audio_token_id=audio,
        tie_word_embeddings=True,
    )
    model = FunAsrNanoForConditionalGeneration._from_config(config, attn_implementation=attention)
    model.generation_config = GenerationConfig(
        do_sample=False, eos_token_id=[end, padding], pad_token_id=padding, max_new_tokens=256
    )
    return model


def _language_config(shape: ModelShape, vocabulary: int, end: int, padding: int) -> dict[str, object]:
    return {
        "model_type": "qwen3",
        "vocab_size": vocabulary,
        "hidden_size": shape.language_size,
        "intermediate_size": shape.language_feed_forward,
        "num_hidden_layers": shape.language_layers,
        "num_attention_heads": shape.language_heads,
        "num_key_value_heads": shape.language_kv_heads,
        "head_dim": shape.language_head_size,
        "max_position_embeddings": 4096,
        "tie_word_embeddings": True,
        "eos_token_id": end,
        "pad_token_id": padding,
        "bos_token_id": None,
    }


def build_ctc_head(shape: ModelShape, vocabulary: int) -> CtcHead:
    """An untrained CTC head over the tokenizer's ids, blank last."""
    return CtcHead(
        CtcHeadConfig(
            encoder_size=shape.encoder_size,
            vocab_size=vocabulary,
            blank_id=vocabulary,
            hidden_size=shape.ctc_size,
            num_layers=shape.ctc_layers,
            projector_size=shape.ctc_size,
        )
    )


@torch.no_grad()
def normalise_inputs(model: FunAsrNanoForConditionalGeneration, sample: NDArray[np.float32]) -> None:
    """Set the encoder's first LayerNorm so that each of the 560 features enters with mean 0 and deviation 1.

    The model has no layer for feature statistics; the first LayerNorm can hold them. `sample` is (frames, 560).
    """
    tower = model.model.audio_tower
    frames: Tensor = torch.from_numpy(sample) * tower.scaling
    centred = torch.nn.functional.layer_norm(frames, frames.shape[-1:])
    mean, deviation = centred.mean(0), centred.std(0).clamp(min=1e-2)
    tower.layers[0].input_layernorm.weight.copy_(1 / deviation)
    tower.layers[0].input_layernorm.bias.copy_(-mean / deviation)
