"""The files around the weights: configuration, tokenizer and feature extractor as transformers reads them."""

from pathlib import Path
from typing import Any

import torch

from funasr_beam.model.conversion.architecture import Architecture
from funasr_beam.model.conversion.errors import ConversionError
from funasr_beam.model.conversion.original import Tensors
from funasr_beam.model.prompts import AUDIO_TOKEN
from funasr_beam.model.training.chat_template import CHAT_TEMPLATE

_ADAPTOR_EPS = 1e-12
"""Of upstream's adaptor layers; with transformers' default of 1e-5 its output moves by 1.5e-4."""

_END, _PAD = "<|im_end|>", "<|endoftext|>"
_ROPE_THETA = 1_000_000.0
_MAX_POSITIONS = 40_960


def build_config(llm: Path, architecture: Architecture, *, dtype: str, tied: bool) -> Any:
    """A `FunAsrNanoConfig` for this architecture.

    Raises:
        ConversionError: the LLM's tokenizer is not a Fun-ASR-Nano one, or does not fit its embedding.
    """
    from transformers import FunAsrNanoConfig

    tokenizer = load_tokenizer(llm)
    vocabulary = tokenizer.get_vocab()
    missing = [token for token in (_END, _PAD, "<|im_start|>", AUDIO_TOKEN) if token not in vocabulary]
    if missing:
        raise ConversionError(
            f"{llm} is not the tokenizer of Fun-ASR-Nano", [f"{token} is missing" for token in missing]
        )
    if max(vocabulary.values()) >= architecture.llm.vocab_size:
        sizes = f"{max(vocabulary.values()) + 1:,} tokens; the LLM knows {architecture.llm.vocab_size:,}"
        raise ConversionError(f"{llm} does not fit the LLM", [sizes])
    config = FunAsrNanoConfig(
        audio_config=_audio(architecture),
        adaptor_config=_adaptor(architecture),
        text_config=_text(llm, architecture) | {"tie_word_embeddings": tied},
        audio_token_id=vocabulary[AUDIO_TOKEN],
        tie_word_embeddings=tied,
    )
    config.architectures = ["FunAsrNanoForConditionalGeneration"]
    config.dtype = dtype
    return config


def check_against_transformers(config: Any, weights: Tensors) -> None:
    """Refuse weights that are not exactly those of transformers' model.

    Raises:
        ConversionError: a name or a shape differs; transformers has changed its model.
    """
    from transformers import FunAsrNanoForConditionalGeneration

    with torch.device("meta"):
        model = FunAsrNanoForConditionalGeneration(config)
    wanted = {name: tensor.shape for name, tensor in model.state_dict().items()}
    if config.tie_word_embeddings:
        wanted.pop("lm_head.weight", None)
    found = {name: tensor.shape for name, tensor in weights.items()}
    different = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
    if different:
        title = "The installed transformers has another Fun-ASR-Nano than the conversion knows"
        raise ConversionError(title, different)


def save_folder(folder: Path, config: Any, llm: Path) -> None:
    """Write config.json, generation_config.json, tokenizer and processor."""
    from transformers import FunAsrNanoFeatureExtractor, FunAsrNanoProcessor, GenerationConfig

    tokenizer = load_tokenizer(llm)
    tokenizer.padding_side = "left"
    tokenizer.chat_template = None
    extractor = FunAsrNanoFeatureExtractor(return_attention_mask=True)
    FunAsrNanoProcessor(extractor, tokenizer, chat_template=CHAT_TEMPLATE, audio_token=AUDIO_TOKEN).save_pretrained(
        folder
    )
    config.save_pretrained(folder)
    end, pad = (tokenizer.get_vocab()[token] for token in (_END, _PAD))
    # Qwen3's own generation config samples; a transcript must not depend on chance.
    GenerationConfig(do_sample=False, eos_token_id=[end, pad], pad_token_id=pad, max_new_tokens=512).save_pretrained(
        folder
    )


def load_tokenizer(llm: Path) -> Any:
    """The LLM's tokenizer.

    Raises:
        ConversionError: its files make none.
    """
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(llm, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ConversionError(f"{llm} holds no tokenizer that can be loaded", [reason]) from error


def _audio(architecture: Architecture) -> dict[str, Any]:
    sizes = architecture.encoder
    return {
        "model_type": "fun_asr_nano_encoder",
        "hidden_size": sizes.output_size,
        "num_attention_heads": sizes.attention_heads,
        "intermediate_size": sizes.linear_units,
        "num_hidden_layers": sizes.num_blocks + sizes.tp_blocks,
        "num_timestamp_prediction_layers": sizes.tp_blocks,
        "fsmn_kernel_size": sizes.kernel_size,
    }


def _adaptor(architecture: Architecture) -> dict[str, Any]:
    sizes = architecture.adaptor
    return {
        "hidden_size": sizes.llm_dim,
        "intermediate_size": sizes.inner_size,
        "num_attention_heads": sizes.attention_heads,
        "num_hidden_layers": sizes.n_layer,
        "projector_hidden_size": sizes.ffn_dim,
        "layer_norm_eps": _ADAPTOR_EPS,
    }


def _text(llm: Path, architecture: Architecture) -> dict[str, Any]:
    """The LLM's own configuration; as Qwen3-0.6B's where its folder has none."""
    from dataclasses import asdict

    from transformers import Qwen3Config

    if (llm / "config.json").exists():
        config = Qwen3Config.from_pretrained(llm, local_files_only=True)
    else:
        rope = {"rope_type": "default", "rope_theta": _ROPE_THETA}
        config = Qwen3Config(**asdict(architecture.llm), max_position_embeddings=_MAX_POSITIONS, rope_parameters=rope)
    told: dict[str, Any] = config.to_dict()
    return told
