"""The number type that a language model computes in."""

import logging

import torch

from funasr_beam.model.recognizers.base import LlmPrecision, RecognizerSettings

_log = logging.getLogger("funasr_beam")

_BFLOAT16_INSTRUCTIONS = ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16")
"""As `torch.cpu.get_capabilities` names them: two of x86, two of Arm."""


def llm_dtype(precision: LlmPrecision, device: torch.device) -> torch.dtype:
    """What the language model computes in; "auto": bfloat16 on a GPU, float32 on a CPU."""
    if precision == "auto":
        precision = "bfloat16" if device.type == "cuda" else "float32"
    return torch.bfloat16 if precision == "bfloat16" else torch.float32


def warn_of_slow_bfloat16(settings: RecognizerSettings, device: torch.device) -> None:
    """Say so where bfloat16 is asked of a CPU that has no instructions for it: it works, but batches may be slower."""
    asked = "bfloat16" in (settings.llm_precision, settings.encoder_precision)
    if asked and device.type == "cpu" and not _has_bfloat16():
        _log.warning(
            "This CPU has no instructions for bfloat16 (%s), so that batches may be slower than in float32; set "
            "recognition.llm_precision and recognition.encoder_precision to float32",
            ", ".join(_BFLOAT16_INSTRUCTIONS),
        )


def _has_bfloat16() -> bool:
    found = torch.cpu.get_capabilities()
    return any(found.get(name, False) for name in _BFLOAT16_INSTRUCTIONS)
