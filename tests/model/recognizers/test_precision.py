import pytest
import torch

from funasr_beam.model.recognizers.base import RecognizerSettings
from funasr_beam.model.recognizers.precision import llm_dtype, warn_of_slow_bfloat16

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize(
    ("precision", "device", "dtype"),
    [
        ("auto", CPU, torch.float32),
        ("auto", GPU, torch.bfloat16),
        ("float32", CPU, torch.float32),
        ("float32", GPU, torch.float32),
        ("bfloat16", CPU, torch.bfloat16),
        ("bfloat16", GPU, torch.bfloat16),
    ],
)
def test_a_number_type_that_is_asked_for_is_taken_and_auto_goes_by_the_device(precision, device, dtype):
    assert llm_dtype(precision, device) == dtype


@pytest.mark.parametrize("asked", [{"llm_precision": "bfloat16"}, {"encoder_precision": "bfloat16"}])
def test_a_cpu_without_the_instructions_is_told_of_and_others_are_not(asked, monkeypatch, caplog):
    settings = RecognizerSettings(**asked)
    for found, device, told in (
        ({"avx512_f": True, "avx512_bf16": False}, CPU, True),
        ({"avx512_f": True, "avx512_bf16": True}, CPU, False),
        ({"neon": True, "bf16": True}, CPU, False),
        ({}, GPU, False),
    ):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda found=found: found)
        caplog.clear()
        warn_of_slow_bfloat16(settings, device)
        assert ("may be slower than in float32" in caplog.text) is told


def test_float32_is_no_reason_to_warn(monkeypatch, caplog):
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)
    for precision in ("auto", "float32"):
        warn_of_slow_bfloat16(RecognizerSettings(llm_precision=precision), CPU)
    assert not caplog.text
