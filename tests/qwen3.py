"""A tiny Qwen3 language model as the recognisers hold one, and prompts for it."""

from collections.abc import Sequence
from types import SimpleNamespace

import torch
from transformers import Qwen3Config, Qwen3ForCausalLM

VOCABULARY = 60
END_IDS = frozenset({3, 7})
QWEN3_06B = {
    "vocab_size": 151_936,
    "hidden_size": 1_024,
    "intermediate_size": 3_072,
    "num_hidden_layers": 28,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "max_position_embeddings": 40_960,
    "initializer_range": 0.02,
}
"""The sizes of the language model of Fun-ASR-Nano."""


class AudioLanguageModel(torch.nn.Module):
    """Has its parts where a model of audio and language has them."""

    def __init__(self, causal: Qwen3ForCausalLM) -> None:
        super().__init__()
        self.model = torch.nn.ModuleDict({"language_model": causal.model})
        self.model.language_model = causal.model
        self.lm_head = causal.lm_head
        self.config = SimpleNamespace(text_config=causal.config)
        self.generate = causal.generate

    def get_input_embeddings(self) -> torch.nn.Module:
        return self.model.language_model.embed_tokens


def tiny_qwen3(seed: int = 0, **changed: object) -> AudioLanguageModel:
    """Random weights under which each token depends on all that came before; some texts end by themselves."""
    torch.manual_seed(seed)
    sizes = {
        "vocab_size": VOCABULARY,
        "hidden_size": 48,
        "intermediate_size": 64,
        "num_hidden_layers": 3,
        "num_attention_heads": 6,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "max_position_embeddings": 512,
        "tie_word_embeddings": True,
        "initializer_range": 0.2,
        "attn_implementation": "sdpa",
        "pad_token_id": 0,
    }
    causal = Qwen3ForCausalLM(Qwen3Config(**sizes | changed)).eval().requires_grad_(False)
    for layer in causal.model.layers:
        layer.self_attn.o_proj.weight.mul_(4.0)
        layer.mlp.down_proj.weight.mul_(4.0)
        for gain in (layer.self_attn.q_norm.weight, layer.self_attn.k_norm.weight, layer.input_layernorm.weight):
            gain.uniform_(0.5, 2.0)
    return AudioLanguageModel(causal)


def make_prompts(model: AudioLanguageModel, lengths: Sequence[int], seed: int) -> list[torch.Tensor]:
    """Embeddings of random tokens."""
    generator = torch.Generator().manual_seed(seed)
    table = model.get_input_embeddings().weight.detach()
    return [table[torch.randint(8, VOCABULARY, (length,), generator=generator)] for length in lengths]
