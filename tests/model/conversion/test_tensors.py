from collections import Counter

import pytest

from funasr_beam.model.conversion.architecture import Architecture, EncoderSizes
from funasr_beam.model.conversion.tensors import original_shapes, target_names


@pytest.mark.parametrize(("with_ctc", "count"), [(False, 1_261), (True, 1_347)])
def test_the_published_files_have_so_many_tensors(with_ctc, count):
    assert len(original_shapes(Architecture(), with_ctc=with_ctc)) == count


def test_the_published_files_have_so_many_tensors_in_each_part():
    names = original_shapes(Architecture(), with_ctc=True)
    parts = Counter(name.partition(".")[0] for name in names)
    assert parts == {"audio_encoder": 914, "audio_adaptor": 36, "llm": 311, "ctc_decoder": 84, "ctc": 2}


def test_the_published_sizes_of_the_files_are_those_of_bfloat16_and_a_float32_head():
    shapes = original_shapes(Architecture(), with_ctc=True)
    sizes = Counter()
    for name, shape in shapes.items():
        count = 1
        for size in shape:
            count *= size
        sizes["head" if name.startswith(("ctc.", "ctc_decoder.")) else "model"] += count
    # What torch.save adds to the numbers is a few hundred bytes a tensor.
    assert 0 < 1_971_149_431 - 2 * sizes["model"] < 1_261 * 600
    assert 0 < 2_127_426_538 - 2 * sizes["model"] - 4 * sizes["head"] < 1_347 * 600


def test_every_tensor_goes_to_a_place_of_its_own():
    encoder = EncoderSizes()
    targets = [
        target for name in original_shapes(Architecture(), with_ctc=True) for target in target_names(name, encoder)
    ]
    assert len(targets) == len(set(targets))
    assert sum(not target.startswith("ctc") for target in targets) == 1_541  # 1,540 and the tied output layer


@pytest.mark.parametrize(
    ("name", "targets"),
    [
        ("audio_encoder.encoders0.0.norm1.weight", ["model.audio_tower.layers.0.input_layernorm.weight"]),
        ("audio_encoder.encoders.48.feed_forward.w_2.bias", ["model.audio_tower.layers.49.mlp.fc2.bias"]),
        ("audio_encoder.tp_encoders.0.norm2.bias", ["model.audio_tower.layers.50.post_attention_layernorm.bias"]),
        ("audio_encoder.after_norm.weight", ["model.audio_tower.layers.49.final_layernorm.weight"]),
        ("audio_encoder.tp_norm.bias", ["model.audio_tower.layers.69.final_layernorm.bias"]),
        (
            "audio_encoder.encoders.0.self_attn.fsmn_block.weight",
            ["model.audio_tower.layers.1.self_attn.fsmn.conv.weight"],
        ),
        (
            "audio_encoder.encoders.3.self_attn.linear_q_k_v.bias",
            [f"model.audio_tower.layers.4.self_attn.{part}_proj.bias" for part in "qkv"],
        ),
        ("audio_adaptor.linear2.bias", ["model.multi_modal_projector.linear_2.bias"]),
        (
            "audio_adaptor.blocks.1.self_attn.linear_out.weight",
            ["model.multi_modal_projector.layers.1.self_attn.o_proj.weight"],
        ),
        ("llm.model.layers.27.mlp.up_proj.weight", ["model.language_model.layers.27.mlp.up_proj.weight"]),
        ("llm.lm_head.weight", ["lm_head.weight"]),
        ("ctc_decoder.linear1.weight", ["ctc_decoder.linear_1.weight"]),
        ("ctc_decoder.blocks.4.self_attn.linear_q.bias", ["ctc_decoder.layers.4.self_attn.q_proj.bias"]),
        ("ctc.ctc_lo.bias", ["ctc.ctc_lo.bias"]),
    ],
)
def test_names_become_those_of_transformers(name, targets):
    assert list(target_names(name, EncoderSizes())) == targets
