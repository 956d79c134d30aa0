"""Original Fun-ASR-Nano folders with random weights: model.pt, config.yaml, tokenizer, SenseVoice's tokens."""

import base64
import contextlib
import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import yaml
from safetensors import safe_open
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast, Qwen3Config

from funasr_beam.model.conversion.architecture import (
    AdaptorSizes,
    Architecture,
    EncoderSizes,
    LlmSizes,
    read_architecture,
    read_yaml,
)
from funasr_beam.model.conversion.original import read_original
from funasr_beam.model.conversion.source import llm_sizes
from funasr_beam.model.conversion.tensors import EMBEDDING, OUTPUT_LAYER, original_shapes, target_names
from tests.tiny_checkpoint import CONTROL_TOKENS, END, PAD, build_tokenizer

WORDS = ["hello", "world", "the", "quick", "brown", "fox", "jumps", "over", "lazy", "dog", "we", "open", "at", "nine"]
HAN = "开放时间早上九点至下午五点我们你好今天是一二三四六七八十百"
JOINED_HAN = ["我们", "你好"]
"""Tokens of two characters, as SenseVoice may have them."""
FIRST_CONTROL_ID = 151_643
"""Of <|endoftext|> in Qwen3's tokenizer."""


@dataclass(frozen=True)
class Recipe:
    """What an original checkpoint is made of."""

    seed: int = 0
    ctc: str = "trained"  # "trained" | "newborn" | "zero" | "none"
    dtype: torch.dtype = torch.bfloat16
    layers: tuple[int, int] = (2, 1)  # encoder's, and those for timestamps


def write_original(folder: Path, recipe: Recipe | None = None) -> Path:
    """Write a tiny original checkpoint, and give its folder."""
    recipe = recipe or Recipe()
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = build_tokenizer(640)
    tokenizer.save_pretrained(folder / "Qwen3-0.6B")
    ranks = write_tiktoken(folder / "multilingual.tiktoken")
    architecture = tiny_architecture(len(tokenizer), ranks + 40, recipe.layers)
    describe_llm(architecture, tokenizer).save_pretrained(folder / "Qwen3-0.6B")
    (folder / "config.yaml").write_text(yaml.safe_dump(describe(architecture)), encoding="utf-8")
    torch.save({"state_dict": random_tensors(architecture, recipe)}, folder / "model.pt")
    return folder


def write_full_size(folder: Path, recipe: Recipe | None = None) -> Path:
    """Write an original checkpoint of the published names, shapes and numbers' types: 2.0 GB, or 2.1 with the head."""
    recipe = recipe or Recipe()
    folder.mkdir(parents=True, exist_ok=True)
    architecture = Architecture()
    tokenizer = full_size_tokenizer()
    tokenizer.save_pretrained(folder / "Qwen3-0.6B")
    write_tiktoken(folder / "multilingual.tiktoken")
    describe_llm(architecture, tokenizer).save_pretrained(folder / "Qwen3-0.6B")
    (folder / "config.yaml").write_text(yaml.safe_dump(describe(architecture)), encoding="utf-8")
    torch.save({"state_dict": random_tensors(architecture, recipe)}, folder / "model.pt")
    return folder


def full_size_tokenizer() -> PreTrainedTokenizerFast:
    """A small BPE in which every id of Qwen3's tokenizer means something, with the control tokens at Qwen3's ids."""
    small = build_tokenizer(640).backend_tokenizer.to_str()
    state = json.loads(small)
    words = {token: rank for token, rank in state["model"]["vocab"].items() if token not in CONTROL_TOKENS}
    vocabulary = {token: rank for rank, token in enumerate(sorted(words, key=words.get))}
    vocabulary |= {f"\u0120w{rank}": rank for rank in range(len(vocabulary), FIRST_CONTROL_ID)}
    state["model"]["vocab"] = vocabulary
    state["added_tokens"] = []
    backend = Tokenizer.from_str(json.dumps(state))
    backend.add_special_tokens(CONTROL_TOKENS)  # <|endoftext|> is 151643, as it is there
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token=PAD,
        eos_token=END,
        additional_special_tokens=CONTROL_TOKENS[1:],
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )


def describe_llm(architecture: Architecture, tokenizer: PreTrainedTokenizerFast) -> Qwen3Config:
    """The LLM's config.json."""
    end, pad = tokenizer.convert_tokens_to_ids(END), tokenizer.convert_tokens_to_ids(PAD)
    return Qwen3Config(
        **asdict(architecture.llm),
        max_position_embeddings=40_960,
        rope_parameters={"rope_type": "default", "rope_theta": 1_000_000.0},
        tie_word_embeddings=True,
        eos_token_id=[end, pad],
        pad_token_id=end,  # a pad of 0 is none to upstream
        bos_token_id=None,
    )


def tiny_architecture(vocabulary: int, ctc_classes: int, layers: tuple[int, int] = (2, 1)) -> Architecture:
    """The real architecture in small."""
    return Architecture(
        encoder=EncoderSizes(96, 4, 192, layers[0], layers[1], 11),
        adaptor=AdaptorSizes(encoder_dim=96, ffn_dim=256, llm_dim=128, n_layer=2, attention_heads=8),
        llm=LlmSizes(vocabulary, 128, 256, 2, 4, 2, 32),
        ctc=AdaptorSizes(encoder_dim=96, ffn_dim=192, llm_dim=96, n_layer=2, attention_heads=8),
        ctc_classes=ctc_classes,
        blank_id=ctc_classes - 1,
    )


def describe(architecture: Architecture) -> dict:
    """The config.yaml, by upstream's keys."""
    encoder = asdict(architecture.encoder)
    return {
        "model": "FunASRNano",
        "audio_encoder": "SenseVoiceEncoderSmall",
        "audio_encoder_conf": encoder | {"input_layer": "pe", "normalize_before": True, "sanm_shfit": 0},
        "llm_conf": {"hub": "hf", "init_param_path": "Qwen3-0.6B", "llm_dtype": "bf16"},
        "audio_adaptor": "Transformer",
        "audio_adaptor_conf": asdict(architecture.adaptor),
        "ctc_decoder": "Transformer",
        "ctc_decoder_conf": asdict(architecture.ctc),
        "ctc_vocab_size": architecture.ctc_classes,
        "frontend": "WavFrontend",
        "frontend_conf": {"fs": 16000, "window": "hamming", "n_mels": 80, "lfr_m": 7, "lfr_n": 6, "cmvn_file": None},
    }


def random_tensors(architecture: Architecture, recipe: Recipe) -> dict[str, torch.Tensor]:
    """Random weights under which inputs are told apart; the CTC head in float32, as in the published file."""
    generator = torch.Generator().manual_seed(recipe.seed)
    shapes = original_shapes(architecture, with_ctc=recipe.ctc != "none")
    tensors = {}
    for name, shape in shapes.items():
        is_ctc = name.startswith(("ctc.", "ctc_decoder."))
        tensor = _ctc_tensor(name, shape, recipe.ctc, generator) if is_ctc else _tensor(name, shape, generator)
        tensors[name] = tensor if is_ctc else tensor.to(recipe.dtype)
    tensors[OUTPUT_LAYER] = tensors["llm.model.embed_tokens.weight"].clone()
    return tensors


def different_tensors(original: Path, converted: Path) -> list[str]:
    """The names of the original tensors whose numbers did not all arrive, one tensor in memory at a time."""
    encoder = read_architecture(read_yaml(original / "config.yaml"), llm_sizes(original / "Qwen3-0.6B")).encoder
    different = []
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(safe_open(path, "pt")) for path in converted.glob("*.safetensors")]
        places = {name: file for file in files for name in file.keys()}  # noqa: SIM118 - it is no mapping
        for name, tensor in read_original(original / "model.pt").items():
            targets = target_names(name, encoder)
            if name == OUTPUT_LAYER and targets[0] not in places:
                targets = target_names(EMBEDDING, encoder)  # tied
            parts = [places[target].get_tensor(target) for target in targets if target in places]
            if len(parts) != len(targets) or not torch.equal(torch.cat(parts), tensor):
                different.append(name)
    return different


def write_tiktoken(path: Path) -> int:
    """A file of ranks as SenseVoice's, with a few words and characters; gives how many."""
    ranks = [bytes([byte]) for byte in range(256)]
    for word in [*WORDS, *(f" {word}" for word in WORDS), *HAN, *JOINED_HAN]:
        data = word.encode()
        for end in range(2, len(data) + 1):
            if data[:end] not in ranks:
                ranks.append(data[:end])
    lines = [f"{base64.b64encode(token).decode()} {rank}" for rank, token in enumerate(ranks)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return len(ranks)


def _tensor(name: str, shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
    """Gains near 1, shifts near 0, weights that keep the size of what flows through; the LLM's layers speak louder."""
    noise = torch.randn(shape, generator=generator)
    if len(shape) == 1:
        return (0.0 if name.endswith("bias") else 1.0) + 0.1 * noise
    if "embed_tokens" in name:
        return noise * 0.2
    fan_in = math.prod(shape[1:])
    louder = 4.0 if name.startswith("llm.") and ("o_proj" in name or "down_proj" in name) else 1.0
    return noise * louder / math.sqrt(fan_in)


def _ctc_tensor(name: str, shape: tuple[int, ...], kind: str, generator: torch.Generator) -> torch.Tensor:
    if kind == "trained":
        return _tensor(name, shape, generator)
    if kind == "zero":
        return torch.zeros(shape)
    if ".norm" in name:
        return torch.ones(shape) if name.endswith("weight") else torch.zeros(shape)
    fan_in = shape[1] if len(shape) > 1 else 96
    return (torch.rand(shape, generator=generator) * 2 - 1) / math.sqrt(fan_in)
