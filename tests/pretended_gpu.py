"""A GPU without one: tensors say that they are there, are computed with here, and do not mix with the CPU's.

It shows that all of a model's work is done where it belongs, with the numbers that come of it; it does not show speed,
memory, kernels, or what happens out of order.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from funasr_beam.model.recognizers.decoding.engine import DecodingEngine
from tests.recorded_graphs import Graph, pretend_graphs

GPU = torch.device("cuda", 0)
CPU = torch.device("cpu")
_BOTH_SIDES = {"copy_", "_to_copy", "_copy_from"}
_ROOM = 2**32


class There(torch.Tensor):
    """A tensor of the GPU; its numbers lie in `here`."""

    here: torch.Tensor

    @staticmethod
    def __new__(cls, here: torch.Tensor) -> "There":
        made = torch.Tensor._make_wrapper_subclass(
            cls, here.size(), strides=here.stride(), storage_offset=here.storage_offset(), dtype=here.dtype, device=GPU
        )
        made.here = here
        return made

    def __repr__(self) -> str:
        return f"There({self.here!r})"

    def tolist(self) -> Any:
        return self.cpu().tolist()

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})  # in a thread that has not entered the modes


class _Here(TorchDispatchMode):
    """Does what is asked of the GPU."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


class _NewTensors(TorchFunctionMode):
    """`torch.tensor` asks the driver for pinned memory, and reads numbers of a subclass, without asking any mode."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func is torch.tensor:
            kwargs.pop("pin_memory", None)
            args = tree_map(lambda item: item.item() if isinstance(item, There) else item, args)
        return func(*args, **kwargs)


@contextlib.contextmanager
def pretended_gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Graph]]:
    """torch finds one GPU, and steps are recorded; gives the graphs as they are made."""
    graphs = pretend_graphs(monkeypatch)
    for name, double in {
        "_lazy_init": lambda: None,
        "is_available": lambda: True,
        "device_count": lambda: 1,
        "get_device_name": lambda *_: "pretended",
        "get_device_capability": lambda *_: (9, 0),
        "mem_get_info": lambda *_: (_ROOM, _ROOM),
        "memory_reserved": lambda *_: 0,
        "memory_allocated": lambda *_: 0,
        "empty_cache": lambda: None,
        "device": contextlib.nullcontext,
    }.items():
        monkeypatch.setattr(torch.cuda, name, double)
    # Tensors made in inference mode cannot be views of a subclass's.
    monkeypatch.setattr(torch, "inference_mode", torch.no_grad)
    monkeypatch.setattr(DecodingEngine, "decode", DecodingEngine.decode.__wrapped__)
    torch._C._ensureCUDADeviceGuardSet()
    lifting, overwriting = (
        torch._C._only_lift_cpu_tensors(),
        torch.__future__.get_overwrite_module_params_on_conversion(),
    )
    torch._C._set_only_lift_cpu_tensors(True)
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    try:
        with _Here(), _NewTensors():
            yield graphs
    finally:
        torch._C._set_only_lift_cpu_tensors(lifting)
        torch.__future__.set_overwrite_module_params_on_conversion(overwriting)


def _run(func: Any, args: Any, kwargs: Any) -> Any:
    """The operation, of those that it is made of, with the device's rules.

    Raises:
        RuntimeError: it mixes tensors of the GPU with the CPU's.
    """
    with _Here():
        results = func.decompose(*args, **kwargs)
    if results is not NotImplemented:
        return results
    name = func.overloadpacket.__name__
    if name == "is_pinned":
        return False
    leaves = tree_leaves((args, kwargs))
    tensors = [item for item in leaves if isinstance(item, torch.Tensor)]
    _check(name, tensors)
    given = {id(item.here): item for item in tensors if isinstance(item, There)}
    devices = [item for item in leaves if isinstance(item, torch.device)]
    is_there = devices[0].type == "cuda" if devices else isinstance(tensors[0], There) if tensors else False
    kwargs = {name: value for name, value in kwargs.items() if name != "pin_memory"}
    results = func(*tree_map(_to_here, args), **tree_map(_to_here, kwargs))

    def back(item: Any) -> Any:
        known = given.get(id(item))
        return known if known is not None else There(item) if is_there and isinstance(item, torch.Tensor) else item

    return tree_map(back, results)


def _check(name: str, tensors: list[torch.Tensor]) -> None:
    """As CUDA's kernels do it: a number may come from the CPU, and places there may name what is on the GPU."""
    if name.startswith("index") and isinstance(tensors[0], There):
        tensors = [item for item in tensors if item.dtype != torch.long]
    places = {item.device.type for item in tensors if item.dim()}
    if len(places) > 1 and name not in _BOTH_SIDES:
        raise RuntimeError(f"Expected all tensors to be on the same device, but {name} got both")


def _to_here(item: Any) -> Any:
    if isinstance(item, There):
        return item.here
    return CPU if isinstance(item, torch.device) else item
