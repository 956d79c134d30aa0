import torch

from funasr_beam.model.recognizers.decoding.decoder import load_decoder
from funasr_beam.model.recognizers.decoding.engine import DecodingEngine
from funasr_beam.model.recognizers.decoding.weights import is_supported, share_weights
from tests.qwen3 import END_IDS, make_prompts, tiny_qwen3


def storages(tensors):
    """Bytes of memory behind the tensors, each piece counted once."""
    return sum({t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors}.values())


def test_fused_weights_take_the_place_of_the_models_own_which_computes_what_it_did():
    model = tiny_qwen3()
    (prompt,) = make_prompts(model, [11], 0)
    before, scores = storages(model.parameters()), model.model.language_model(inputs_embeds=prompt[None])[0]
    weights = share_weights(model)
    shared = [
        *model.parameters(),
        *(layer.qkv for layer in weights.layers),
        *(layer.gate_up for layer in weights.layers),
    ]
    assert storages(shared) == before
    assert torch.equal(model.model.language_model(inputs_embeds=prompt[None])[0], scores)
    assert weights.head.data_ptr() == weights.embedding.data_ptr()


def test_the_memory_of_a_position_is_that_of_its_keys_and_values():
    weights = share_weights(tiny_qwen3())
    assert weights.bytes_per_position == 2 * 3 * 2 * 16 * 4


def test_only_a_plain_qwen3_is_taken_and_any_other_model_is_decoded_all_the_same():
    assert is_supported(tiny_qwen3())
    sliding = tiny_qwen3(use_sliding_window=True, sliding_window=8, max_window_layers=1)
    assert not is_supported(sliding)
    prompts = make_prompts(sliding, [12, 20], 0)
    with torch.inference_mode():
        assert len(load_decoder(sliding, END_IDS)(prompts, [4, 4])) == 2
    assert load_decoder(tiny_qwen3(), END_IDS).decode.__func__ is DecodingEngine.decode
