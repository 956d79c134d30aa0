import pytest
import torch

from funasr_beam.model.conversion.ctc_tensors import ctc_tensors, head_config, head_tensors, why_untrained
from funasr_beam.model.ctc_head import CtcHead
from tests.original_checkpoint import Recipe, random_tensors, tiny_architecture

ARCHITECTURE = tiny_architecture(600, 400)


def head(kind):
    return ctc_tensors(random_tensors(ARCHITECTURE, Recipe(ctc=kind)))


def test_a_head_whose_weights_have_moved_is_trained():
    assert why_untrained(head("trained")) is None


def test_a_newborn_module_of_torch_is_untrained():
    torch.manual_seed(0)
    module = CtcHead(head_config(ARCHITECTURE, "own"))
    names = {
        name: name.replace("input_layernorm", "norm1").replace("post_attention_layernorm", "norm2")
        for name in module.state_dict()
    }
    assert "LayerNorm" in why_untrained({names[name]: tensor for name, tensor in module.state_dict().items()})


@pytest.mark.parametrize(("kind", "why"), [("newborn", "LayerNorm"), ("zero", "is constant")])
def test_what_an_untrained_head_is_known_by(kind, why):
    assert why in why_untrained(head(kind))


def test_one_step_of_training_is_enough_to_leave_the_state_of_birth():
    torch.manual_seed(0)
    module = CtcHead(head_config(ARCHITECTURE, "own"))
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-3)
    encoded = torch.randn(2, 30, 96)
    log_probs = module(encoded, torch.ones(2, 30)).transpose(0, 1)
    blank = ARCHITECTURE.blank_id
    torch.nn.functional.ctc_loss(log_probs, torch.ones(2, 3).long(), (30, 30), (3, 3), blank=blank).backward()
    optimizer.step()
    norms = {name: tensor for name, tensor in module.state_dict().items() if "layernorm" in name}
    assert all(not torch.equal(tensor, tensor.round()) for tensor in norms.values())


def test_a_trained_decoder_does_not_excuse_an_output_layer_of_noise():
    mixed = head("trained")
    mixed["ctc.ctc_lo.weight"] = head("newborn")["ctc.ctc_lo.weight"]
    assert why_untrained(mixed) == "ctc.ctc_lo.weight is the noise it was initialised with"


def test_numbers_that_are_not_finite_are_no_training():
    spoilt = head("trained")
    spoilt["ctc_decoder.linear1.bias"][0] = float("nan")
    assert why_untrained(spoilt) == "ctc_decoder.linear1.bias holds numbers that are not finite"


def test_the_heads_tensors_are_those_that_it_loads():
    module = CtcHead(head_config(ARCHITECTURE, "own"))
    module.load_state_dict(head_tensors(head("trained"), ARCHITECTURE))
