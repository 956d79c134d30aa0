"""Names and shapes of the original tensors, and where each of them goes.

Source: `FunASRNano` of funasr 1.4.16 (1,261 tensors, with the CTC head 1,347) and transformers' Fun-ASR-Nano.
"""

import re
from collections.abc import Iterator, Mapping

from funasr_beam.model.conversion.architecture import FRAME_SIZE, AdaptorSizes, Architecture, EncoderSizes, LlmSizes

Shape = tuple[int, ...]

CTC_PREFIXES = ("ctc_decoder.", "ctc.")
EMBEDDING = "llm.model.embed_tokens.weight"
OUTPUT_LAYER = "llm.lm_head.weight"
"""Tied to the embedding; the original files hold it twice."""

_FUSED = ".self_attn.linear_q_k_v."
_IN_BLOCK = {
    "norm1": "input_layernorm",
    "norm2": "post_attention_layernorm",
    "self_attn.linear_q": "self_attn.q_proj",
    "self_attn.linear_k": "self_attn.k_proj",
    "self_attn.linear_v": "self_attn.v_proj",
    "self_attn.linear_out": "self_attn.o_proj",
    "self_attn.fsmn_block": "self_attn.fsmn.conv",
    "feed_forward.w_1": "mlp.fc1",
    "feed_forward.w_2": "mlp.fc2",
}
_BLOCK = re.compile(r"(?P<group>\w+\.(?:encoders0|encoders|tp_encoders|blocks))\.(?P<index>\d+)\.(?P<rest>.+)")


def original_shapes(architecture: Architecture, *, with_ctc: bool) -> dict[str, Shape]:
    """Every tensor that a model.pt of this architecture holds."""
    shapes = dict(_encoder(architecture.encoder))
    shapes.update(_adaptor("audio_adaptor", architecture.adaptor))
    shapes.update(_llm(architecture.llm))
    if with_ctc:
        shapes.update(_adaptor("ctc_decoder", architecture.ctc))
        shapes.update(_linear("ctc.ctc_lo", architecture.encoder.output_size, architecture.ctc_classes))
    return shapes


def target_names(name: str, encoder: EncoderSizes) -> tuple[str, ...]:
    """Where an original tensor goes: its new name, or three for query, key and value, stacked in this order.

    Tensors of the CTC head get their names in `CtcHead`; all others those in transformers' model.
    """
    if _FUSED in name:
        return tuple(_rename(name.replace(_FUSED, f".self_attn.linear_{part}."), encoder) for part in "qkv")
    return (_rename(name, encoder),)


def _rename(name: str, encoder: EncoderSizes) -> str:
    if name == OUTPUT_LAYER:
        return "lm_head.weight"
    if name.startswith("llm.model."):
        return name.replace("llm.model.", "model.language_model.", 1)
    last_layers = {"after_norm": encoder.num_blocks - 1, "tp_norm": encoder.num_blocks + encoder.tp_blocks - 1}
    for norm, layer in last_layers.items():
        if name.startswith(f"audio_encoder.{norm}."):
            return f"model.audio_tower.layers.{layer}.final_layernorm.{name.rpartition('.')[2]}"
    found = _BLOCK.fullmatch(name)
    if found is None:  # the projections before an adaptor's layers, and the CTC head's output layer
        projected = name.replace("linear1", "linear_1").replace("linear2", "linear_2")
        return projected.replace("audio_adaptor.", "model.multi_modal_projector.", 1)
    module, weight = found["rest"].rsplit(".", 1)
    return f"{_layer(found['group'], int(found['index']), encoder)}.{_IN_BLOCK[module]}.{weight}"


def _layer(group: str, index: int, encoder: EncoderSizes) -> str:
    """The new name of a layer, such as `model.audio_tower.layers.50` for the first one for timestamps."""
    return {
        "audio_encoder.encoders0": f"model.audio_tower.layers.{index}",
        "audio_encoder.encoders": f"model.audio_tower.layers.{index + 1}",
        "audio_encoder.tp_encoders": f"model.audio_tower.layers.{index + encoder.num_blocks}",
        "audio_adaptor.blocks": f"model.multi_modal_projector.layers.{index}",
        "ctc_decoder.blocks": f"ctc_decoder.layers.{index}",
    }[group]


def _encoder(sizes: EncoderSizes) -> Iterator[tuple[str, Shape]]:
    names = ["encoders0.0"]
    names += [f"encoders.{index}" for index in range(sizes.num_blocks - 1)]
    names += [f"tp_encoders.{index}" for index in range(sizes.tp_blocks)]
    width = sizes.output_size
    for name in names:
        block = f"audio_encoder.{name}"
        input_size = FRAME_SIZE if name == "encoders0.0" else width
        yield from _linear(f"{block}.self_attn.linear_q_k_v", input_size, 3 * width)
        yield f"{block}.self_attn.fsmn_block.weight", (width, 1, sizes.kernel_size)
        yield from _linear(f"{block}.self_attn.linear_out", width, width)
        yield from _feed_forward(block, width, sizes.linear_units)
        yield from _norm(f"{block}.norm1", input_size)
        yield from _norm(f"{block}.norm2", width)
    yield from _norm("audio_encoder.after_norm", width)
    yield from _norm("audio_encoder.tp_norm", width)


def _adaptor(name: str, sizes: AdaptorSizes) -> Iterator[tuple[str, Shape]]:
    width = sizes.llm_dim
    yield from _linear(f"{name}.linear1", sizes.encoder_dim * sizes.downsample_rate, sizes.ffn_dim)
    yield from _linear(f"{name}.linear2", sizes.ffn_dim, width)
    for index in range(sizes.n_layer):
        block = f"{name}.blocks.{index}"
        for part in ("q", "k", "v", "out"):
            yield from _linear(f"{block}.self_attn.linear_{part}", width, width)
        yield from _feed_forward(block, width, sizes.inner_size)
        yield from _norm(f"{block}.norm1", width)
        yield from _norm(f"{block}.norm2", width)


def _llm(sizes: LlmSizes) -> Iterator[tuple[str, Shape]]:
    width, heads = sizes.hidden_size, sizes.num_attention_heads * sizes.head_dim
    key_values = sizes.num_key_value_heads * sizes.head_dim
    layer: Mapping[str, Shape] = {
        "self_attn.q_proj": (heads, width),
        "self_attn.k_proj": (key_values, width),
        "self_attn.v_proj": (key_values, width),
        "self_attn.o_proj": (width, heads),
        "self_attn.q_norm": (sizes.head_dim,),
        "self_attn.k_norm": (sizes.head_dim,),
        "mlp.gate_proj": (sizes.intermediate_size, width),
        "mlp.up_proj": (sizes.intermediate_size, width),
        "mlp.down_proj": (width, sizes.intermediate_size),
        "input_layernorm": (width,),
        "post_attention_layernorm": (width,),
    }
    yield EMBEDDING, (sizes.vocab_size, width)
    for index in range(sizes.num_hidden_layers):
        for name, shape in layer.items():
            yield f"llm.model.layers.{index}.{name}.weight", shape
    yield "llm.model.norm.weight", (width,)
    yield OUTPUT_LAYER, (sizes.vocab_size, width)


def _linear(name: str, inputs: int, outputs: int) -> Iterator[tuple[str, Shape]]:
    yield f"{name}.weight", (outputs, inputs)
    yield f"{name}.bias", (outputs,)


def _norm(name: str, size: int) -> Iterator[tuple[str, Shape]]:
    yield f"{name}.weight", (size,)
    yield f"{name}.bias", (size,)


def _feed_forward(block: str, width: int, inner: int) -> Iterator[tuple[str, Shape]]:
    yield from _linear(f"{block}.feed_forward.w_1", width, inner)
    yield from _linear(f"{block}.feed_forward.w_2", inner, width)
