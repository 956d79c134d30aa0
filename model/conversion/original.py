"""Read an original model.pt without running what is in it, and refuse what is wrong with it by name."""

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from funasr_beam.model.conversion.architecture import Architecture
from funasr_beam.model.conversion.errors import ConversionError
from funasr_beam.model.conversion.tensors import CTC_PREFIXES, original_shapes

Tensors = dict[str, torch.Tensor]

_CONTAINERS = ("state_dict", "model_state_dict", "model")
_PARALLEL_PREFIX = "module."


def read_original(path: Path) -> Tensors:
    """The tensors of a model.pt, mapped from the file: reading costs no memory of its own.

    Raises:
        ConversionError: it is no file of tensors; objects of any other kind are not loaded.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except pickle.UnpicklingError as error:
        reason = "it holds more than tensors, and such objects could run code: they are never loaded"
        raise ConversionError(f"{path} is refused", [reason, _first_line(error)]) from error
    except (RuntimeError, EOFError, ValueError, OSError) as error:
        reason = "it is no file that torch.save wrote (since PyTorch 1.6), or it is cut off"
        raise ConversionError(f"{path} cannot be read", [reason, _first_line(error)]) from error
    return _tensors(content, path)


def check_tensors(tensors: Tensors, architecture: Architecture, *, with_ctc: bool) -> None:
    """Refuse a file with a tensor missing, too many, or of another shape; each is named.

    Raises:
        ConversionError: it is not a whole model of this architecture.
    """
    wanted = original_shapes(architecture, with_ctc=with_ctc)
    problems = [f"{name} is missing" for name in wanted if name not in tensors]
    problems += [
        f"{name} is {_size(tensors[name].shape)}; needed: {_size(shape)}"
        for name, shape in wanted.items()
        if name in tensors and tuple(tensors[name].shape) != shape
    ]
    problems += [f"{name} is not known{_hint(name)}" for name in tensors if name not in wanted]
    problems += [
        f"{name} holds {tensor.dtype}, not floating-point numbers"
        for name, tensor in tensors.items()
        if name in wanted and not tensor.is_floating_point()
    ]
    if problems:
        title = f"The file is no whole Fun-ASR-Nano ({len(tensors):,} tensors; needed: {len(wanted):,})"
        raise ConversionError(title, problems)


def without_ctc(tensors: Tensors) -> Tensors:
    """The tensors without those of the CTC head."""
    return {name: tensor for name, tensor in tensors.items() if not name.startswith(CTC_PREFIXES)}


def _tensors(content: Any, path: Path) -> Tensors:
    """The named tensors inside whatever upstream's trainers put around them."""
    while isinstance(content, Mapping):
        inner = next((content[key] for key in _CONTAINERS if isinstance(content.get(key), Mapping)), None)
        if inner is None:
            break
        content = inner
    if not isinstance(content, Mapping) or not all(isinstance(name, str) for name in content):
        raise ConversionError(f"{path} holds no named tensors", [])
    named = {name.removeprefix(_PARALLEL_PREFIX): tensor for name, tensor in content.items()}
    strange = [name for name, tensor in named.items() if not isinstance(tensor, torch.Tensor)]
    if strange:
        raise ConversionError(f"{path} is refused", [f"{name} is no tensor" for name in strange])
    return named


def _hint(name: str) -> str:
    return ": an adapter; merge it into the weights first" if "lora_" in name else ""


def _size(shape: tuple[int, ...] | torch.Size) -> str:
    return " x ".join(map(str, shape)) or "one number"


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]
