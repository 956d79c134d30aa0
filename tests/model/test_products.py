"""Products by oneDNN are those of torch, and a model that computes by them is the same model."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from funasr_beam.model import products
from funasr_beam.model.products import QuickLinear, add_linear, linear, use_quick_linears


@pytest.mark.parametrize("shape", [(1, 64), (7, 64), (3, 5, 64), (500, 64), (0, 64)])
@pytest.mark.parametrize("has_bias", [True, False])
def test_products_are_those_of_torch(shape, has_bias):
    x, weight = torch.randn(shape), torch.randn(96, 64)
    bias = torch.randn(96) if has_bias else None
    assert torch.allclose(linear(x, weight, bias), functional.linear(x, weight, bias), atol=1e-4)


def test_a_view_that_is_not_contiguous_is_read_right():
    x, weight = torch.randn(9, 100)[:, 10:74], torch.randn(64, 96).t()
    assert torch.allclose(linear(x, weight), functional.linear(x, weight), atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_a_product_is_added_to_what_is_there(dtype):
    total, x, weight = torch.randn(4, 96).to(dtype), torch.randn(4, 64).to(dtype), torch.randn(96, 64).to(dtype)
    expected = total + functional.linear(x, weight)
    add_linear(total, x, weight)
    assert torch.allclose(total, expected, atol=0.2 if dtype == torch.bfloat16 else 1e-4)


def test_float32_on_a_cpu_goes_to_onednn_and_nothing_else_does(monkeypatch):
    asked = []
    monkeypatch.setattr(
        products, "_onednn_linear", lambda: lambda *given: asked.append(given) or functional.linear(*given)
    )
    linear(torch.randn(2, 3), torch.randn(4, 3))
    assert len(asked) == 1
    linear(torch.randn(2, 3).double(), torch.randn(4, 3).double())
    linear(torch.randn(2, 3, device="meta"), torch.randn(4, 3, device="meta"))
    assert len(asked) == 1


@pytest.mark.parametrize(("threads", "rows", "goes"), [(1, 20, True), (2, 20, False), (2, 15, True), (2, 64, True)])
def test_with_several_threads_batches_of_a_middling_size_do_not_go_there(monkeypatch, threads, rows, goes):
    asked = []
    monkeypatch.setattr(products, "_onednn_linear", lambda: lambda *given: asked.append(given))
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    linear(torch.randn(2, rows // 2, 3) if rows % 2 == 0 else torch.randn(rows, 3), torch.randn(4, 3))
    assert bool(asked) is goes


def test_a_torch_without_the_operator_computes_as_ever(monkeypatch):
    monkeypatch.setattr(products, "_onednn_linear", lambda: None)
    x, weight = torch.randn(2, 3), torch.randn(4, 3)
    assert torch.equal(linear(x, weight), functional.linear(x, weight))


@torch.inference_mode()
def test_a_model_keeps_its_weights_and_its_answers():
    model = nn.Sequential(nn.Linear(32, 48), nn.ReLU(), nn.Linear(48, 8, bias=False)).requires_grad_(False)
    names, x = list(model.state_dict()), torch.randn(5, 32)
    expected = model(x)
    use_quick_linears(model)
    assert [type(module) for module in model if not isinstance(module, nn.ReLU)] == [QuickLinear, QuickLinear]
    assert list(model.state_dict()) == names
    assert torch.allclose(model(x), expected, atol=1e-5)
    assert model.to(torch.bfloat16)(x.bfloat16()).dtype == torch.bfloat16
