"""What models compute on: the CPU, or every GPU of one kind."""

import contextlib

import torch

from funasr_beam.model.errors import RunError


def pick_device(wanted: str) -> torch.device:
    """The device to compute on; "auto" takes the GPU where there is one.

    Args:
        wanted: "auto", "cpu", "cuda" or one of `device_names`.

    Raises:
        RunError: a GPU is wanted and there is none.
    """
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    if wanted != "cpu" and not torch.cuda.is_available():
        raise RunError("device = cuda: torch finds no usable GPU here; use --device cpu or --device auto")
    return torch.device(wanted)


def device_names(wanted: str) -> list[str]:
    """The devices that each take a copy of the model: the CPU, or all GPUs of the same kind as the first one.

    Others are left alone: beside the cards that compute there may be one for a screen, and cards of two kinds may write
    two texts.

    Raises:
        RunError: as `pick_device`.
    """
    if pick_device(wanted).type == "cpu":
        return ["cpu"]
    kinds = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    return [f"cuda:{number}" for number, kind in enumerate(kinds) if kind == kinds[0]]


def computing_on(name: str) -> contextlib.AbstractContextManager[object]:
    """Makes this GPU the one that libraries ask in this thread; does nothing for a CPU."""
    return torch.cuda.device(name) if name.startswith("cuda") else contextlib.nullcontext()
