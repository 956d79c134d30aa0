"""The weights of a Qwen3 language model as its decoder needs them: few and large matrices."""

from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class LayerWeights:
    """One layer; matrices as (outputs, inputs)."""

    input_gain: torch.Tensor  # (hidden,)
    qkv: torch.Tensor  # queries, keys and values of all heads, one below the other
    qk_gain: torch.Tensor  # (query heads + key heads, head size)
    out: torch.Tensor
    mlp_gain: torch.Tensor  # (hidden,)
    gate_up: torch.Tensor
    down: torch.Tensor


@dataclass(frozen=True)
class Qwen3Weights:
    """A whole language model."""

    layers: tuple[LayerWeights, ...]
    embedding: torch.Tensor  # (vocabulary, hidden)
    final_gain: torch.Tensor  # (hidden,)
    head: torch.Tensor  # (vocabulary, hidden); the embedding itself where the checkpoint ties them
    inverse_frequencies: torch.Tensor  # (head size / 2,) float32
    query_heads: int
    key_heads: int
    epsilon: float

    @property
    def head_size(self) -> int:
        """Numbers of one attention head."""
        return 2 * len(self.inverse_frequencies)

    @property
    def bytes_per_position(self) -> int:
        """Memory for the keys and values of one position of one row."""
        return 2 * len(self.layers) * self.key_heads * self.head_size * self.embedding.element_size()


def is_supported(model: Any) -> bool:
    """Whether the model's language model is a plain Qwen3, which is what this decoder computes."""
    config = model.config.text_config
    return bool(
        config.model_type == "qwen3"
        and config.hidden_act == "silu"
        and not config.attention_bias
        and set(config.layer_types) == {"full_attention"}
        and config.rope_parameters["rope_type"] == "default"
    )


def share_weights(model: Any) -> Qwen3Weights:
    """The weights of a loaded model of transformers, for which `is_supported` holds.

    Fused matrices take the place of the model's own: its layers become views of them. So the memory stays what it was,
    and the model computes what it did; it must not be moved or cast afterwards, which would part the two.

    Args:
        model: has `model.language_model` and `lm_head`, on their device and in their dtype.
    """
    language_model, config = model.model.language_model, model.config.text_config
    return Qwen3Weights(
        layers=tuple(_share_layer(layer) for layer in language_model.layers),
        embedding=language_model.embed_tokens.weight.detach(),
        final_gain=language_model.norm.weight.detach(),
        head=model.lm_head.weight.detach(),
        inverse_frequencies=language_model.rotary_emb.inv_freq.float(),
        query_heads=config.num_attention_heads,
        key_heads=config.num_key_value_heads,
        epsilon=config.rms_norm_eps,
    )


def _share_layer(layer: Any) -> LayerWeights:
    attention, mlp = layer.self_attn, layer.mlp
    size = attention.head_dim
    query_heads, key_heads = (len(part.weight) // size for part in (attention.q_proj, attention.k_proj))
    return LayerWeights(
        input_gain=layer.input_layernorm.weight.detach(),
        qkv=_fuse(attention.q_proj, attention.k_proj, attention.v_proj),
        qk_gain=torch.cat(
            [
                attention.q_norm.weight.detach().expand(query_heads, size),
                attention.k_norm.weight.detach().expand(key_heads, size),
            ]
        ),
        out=attention.o_proj.weight.detach(),
        mlp_gain=layer.post_attention_layernorm.weight.detach(),
        gate_up=_fuse(mlp.gate_proj, mlp.up_proj),
        down=mlp.down_proj.weight.detach(),
    )


def _fuse(*parts: Any) -> torch.Tensor:
    """The parts' matrices as one, of which each part's own becomes a view."""
    fused = torch.cat([part.weight.detach() for part in parts])
    for part, rows in zip(parts, torch.split(fused, [len(part.weight) for part in parts]), strict=True):
        part.weight.data = rows
    return fused
