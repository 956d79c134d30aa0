"""A tiny Fun-ASR-Nano checkpoint with random weights, for tests: real classes, real files, a second to make."""

from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    FunAsrNanoConfig,
    FunAsrNanoFeatureExtractor,
    FunAsrNanoForConditionalGeneration,
    FunAsrNanoProcessor,
    PreTrainedTokenizerFast,
)

from funasr_beam.model.languages import LANGUAGE_NAMES
from funasr_beam.model.prompts import AUDIO_TOKEN, build_prompt
from funasr_beam.model.records import RecognitionOptions

END, PAD = "<|im_end|>", "<|endoftext|>"
CONTROL_TOKENS = [PAD, "<|im_start|>", END, AUDIO_TOKEN, "<|object_ref_end|>"]
FULL_OPTIONS = RecognitionOptions("zh", hotwords=("开放时间", "Fun-ASR"), context="a call to the bank")
CORPUS = [
    build_prompt(RecognitionOptions(), itn=True),
    build_prompt(FULL_OPTIONS, itn=False),
    *LANGUAGE_NAMES.values(),
    "zero one two three four five six seven eight nine ten",
    "the quick brown fox jumps over the lazy dog",
    "开放时间早上九点至下午五点",
]


@dataclass(frozen=True)
class Dimensions:
    """Sizes of the model; small enough to be quick, large enough to tell inputs apart."""

    encoder: int = 96
    llm: int = 128
    layers: int = 2
    vocabulary: int = 640


def build_checkpoint(folder: Path, *, seed: int = 0, dimensions: Dimensions | None = None) -> Path:
    """Write config, safetensors, tokenizer and feature extractor into the folder."""
    sizes = dimensions or Dimensions()
    tokenizer = build_tokenizer(sizes.vocabulary)
    model = build_model(tokenizer, sizes, seed)
    model.save_pretrained(folder)
    extractor = FunAsrNanoFeatureExtractor(return_attention_mask=True)
    FunAsrNanoProcessor(extractor, tokenizer, audio_token=AUDIO_TOKEN).save_pretrained(folder)
    return folder


def build_tokenizer(vocabulary: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE with Qwen's control tokens; any text goes through it and back."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=CONTROL_TOKENS,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        additional_special_tokens=["<|im_start|>", AUDIO_TOKEN, "<|object_ref_end|>"],
        padding_side="left",
        model_max_length=4096,
        clean_up_tokenization_spaces=False,
    )


def build_model(tokenizer: PreTrainedTokenizerFast, sizes: Dimensions, seed: int) -> FunAsrNanoForConditionalGeneration:
    """Random weights, scaled so that what was heard decides each token: texts differ, and some end by themselves."""
    torch.manual_seed(seed)
    model = FunAsrNanoForConditionalGeneration(build_config(tokenizer, sizes)).eval()
    with torch.no_grad():
        model.model.multi_modal_projector.linear_2.weight.mul_(8.0)
        for layer in model.model.language_model.layers:
            # Tied embeddings repeat the last token for ever unless the layers speak louder than the residual.
            layer.self_attn.o_proj.weight.mul_(8.0)
            layer.mlp.down_proj.weight.mul_(8.0)
        for token in (END, PAD):
            model.get_input_embeddings().weight[tokenizer.convert_tokens_to_ids(token)].mul_(1.5)
    return model


def build_config(tokenizer: PreTrainedTokenizerFast, sizes: Dimensions) -> FunAsrNanoConfig:
    """The architecture of the real model in small."""
    return FunAsrNanoConfig(
        audio_config={
            "model_type": "fun_asr_nano_encoder",
            "hidden_size": sizes.encoder,
            "num_attention_heads": 4,
            "intermediate_size": 2 * sizes.encoder,
            "num_hidden_layers": sizes.layers + 1,
            "num_timestamp_prediction_layers": 1,
        },
        adaptor_config={
            "hidden_size": sizes.llm,
            "intermediate_size": sizes.llm // 4,
            "num_attention_heads": 4,
            "projector_hidden_size": 2 * sizes.llm,
            "num_hidden_layers": 1,
        },
        text_config={
            "model_type": "qwen3",
            "vocab_size": len(tokenizer),
            "hidden_size": sizes.llm,
            "intermediate_size": 2 * sizes.llm,
            "num_hidden_layers": sizes.layers,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "head_dim": sizes.llm // 4,
            "max_position_embeddings": 4096,
            "tie_word_embeddings": True,
            "initializer_range": 0.2,
            "eos_token_id": tokenizer.convert_tokens_to_ids(END),
            "pad_token_id": tokenizer.convert_tokens_to_ids(PAD),
            "bos_token_id": None,
        },
        audio_token_id=tokenizer.convert_tokens_to_ids(AUDIO_TOKEN),
        tie_word_embeddings=True,
    )
