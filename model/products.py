"""Matrix products on a CPU, by the library that is quickest at them."""

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional

POOR_ROWS = range(16, 64)
"""With so many rows and several threads, oneDNN takes twice MKL's time."""


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """What `torch.nn.functional.linear` gives, without gradients.

    That asks MKL where all is float32 on a CPU, and MKL keeps half of an AMD processor's vector units idle. oneDNN,
    which torch carries as well and asks for bfloat16, does not: 2.3 times as fast on a Zen 5 with many rows, and up to
    3.5 times with few.

    Args:
        x: (..., in).
        weight: (out, in).
        bias: (out,).

    Returns:
        (..., out).
    """
    by_onednn = _onednn_linear() if _is_for_onednn(x) else None
    return by_onednn(x, weight, bias) if by_onednn else functional.linear(x, weight, bias)


def add_linear(total: Tensor, x: Tensor, weight: Tensor) -> None:
    """Add `linear(x, weight)` to (rows, out); x is (rows, in)."""
    if _is_for_onednn(x):
        total.add_(linear(x, weight))
    else:
        total.addmm_(x, weight.t())


class QuickLinear(nn.Linear):
    """A linear layer that computes by `linear`."""

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) to (..., out)."""
        return linear(x, self.weight, self.bias)


def use_quick_linears(model: nn.Module) -> None:
    """Turn the linear layers of a model that is not trained any more into `QuickLinear`s, weights and all."""
    for module in model.modules():
        if type(module) is nn.Linear:
            module.__class__ = QuickLinear


def _is_for_onednn(x: Tensor) -> bool:
    if x.dtype != torch.float32 or x.device.type != "cpu":
        return False
    return x.shape[:-1].numel() not in POOR_ROWS or torch.get_num_threads() == 1


@cache
def _onednn_linear() -> Callable[[Tensor, Tensor, Tensor | None], Tensor] | None:
    """The operator that torch's own compiler uses, where this build of torch has it."""
    if not torch._C._has_mkldnn or not hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        return None
    operator = torch.ops.mkldnn._linear_pointwise
    return lambda x, weight, bias: operator(x, weight, bias, "none", [], "")
