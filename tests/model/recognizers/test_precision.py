import pytest
import torch

from funasr_beam.model.recognizers.base import RecognizerSettings
from funasr_beam.model.recognizers.precision import llm_dtype, warn_of_slow_bfloat16

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.fixture
def card(monkeypatch):
    """Let torch see a GPU of this compute capability."""
    return lambda *found: monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: found)


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
def test_a_number_type_that_is_asked_for_is_taken_and_auto_goes_by_the_device(card, precision, device, dtype):
    card(9, 0)
    assert llm_dtype(precision, device) == dtype


def test_auto_is_float32_on_a_card_that_would_only_emulate_bfloat16(card, caplog):
    card(7, 5)
    assert llm_dtype("auto", GPU) == torch.float32
    warn_of_slow_bfloat16(RecognizerSettings(llm_precision="bfloat16"), GPU)
    assert "This GPU has no units for bfloat16 (compute capability 8.0" in caplog.text


@pytest.mark.parametrize("asked", [{"llm_precision": "bfloat16"}, {"encoder_precision": "bfloat16"}])
def test_a_cpu_without_the_instructions_is_told_of_and_others_are_not(asked, card, monkeypatch, caplog):
    card(8, 6)
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
