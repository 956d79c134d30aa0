"""The number types that models compute in."""

import logging

import torch

from funasr_beam.model.recognizers.base import EncoderPrecision, LlmPrecision, RecognizerSettings

_log = logging.getLogger("funasr_beam")

_BFLOAT16_INSTRUCTIONS = ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16")
"""As `torch.cpu.get_capabilities` names them: two of x86, two of Arm."""
_BFLOAT16_CAPABILITY = (8, 0)
"""Of an NVIDIA GPU. Below, torch's attention has no kernel for it but one that copies keys and values in float32."""


def llm_dtype(precision: LlmPrecision, device: torch.device) -> torch.dtype:
    """What the language model computes in; "auto": bfloat16 on a GPU that has it, float32 elsewhere."""
    if precision == "auto":
        precision = "bfloat16" if device.type == "cuda" and has_bfloat16(device) else "float32"
    return torch.bfloat16 if precision == "bfloat16" else torch.float32


def chosen_encoder_precision(
    precision: EncoderPrecision, llm_precision: LlmPrecision, device: torch.device
) -> EncoderPrecision:
    """What encoder and adaptor compute in: "float32", "tf32" or "bfloat16".

    TF32 is float32 whose products a GPU rounds to 11 bits: several times as fast. "auto" takes it where the LLM
    computes in bfloat16, since what that is given of the encoder is rounded to 8 bits anyway; elsewhere float32, which
    upstream computes in. Where a device has no TF32, it is float32.
    """
    if precision == "auto":
        precision = "tf32" if llm_dtype(llm_precision, device) == torch.bfloat16 else "float32"
    has_tf32 = device.type == "cuda" and has_bfloat16(device)  # it came with the same cards
    return "float32" if precision == "tf32" and not has_tf32 else precision


def let_products_be_tf32(allowed: bool) -> None:
    """For all products of float32 on GPUs in this process; where none is allowed, also against what an image says."""
    torch.backends.cuda.matmul.allow_tf32 = allowed


def warn_of_slow_bfloat16(settings: RecognizerSettings, device: torch.device) -> None:
    """Say so where bfloat16 is asked of a device that lacks it: it works, but batches may be slower."""
    asked = "bfloat16" in (settings.llm_precision, settings.encoder_precision)
    if asked and not has_bfloat16(device):
        lacks = f"CPU has no instructions for bfloat16 ({', '.join(_BFLOAT16_INSTRUCTIONS)})"
        if device.type == "cuda":
            lacks = f"GPU has no units for bfloat16 (compute capability {_BFLOAT16_CAPABILITY[0]}.0 and above)"
        _log.warning(
            "This %s, so that batches may be slower than in float32; set recognition.llm_precision and "
            "recognition.encoder_precision to float32",
            lacks,
        )


def has_bfloat16(device: torch.device) -> bool:
    """Whether a device computes in bfloat16 itself, and not by way of float32."""
    if device.type == "cuda":  # torch's own `is_bf16_supported` also says yes where it would emulate it
        return torch.cuda.get_device_capability(device) >= _BFLOAT16_CAPABILITY
    found = torch.cpu.get_capabilities()
    return any(found.get(name, False) for name in _BFLOAT16_INSTRUCTIONS)
