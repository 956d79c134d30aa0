import pytest
import torch
from transformers import FunAsrNanoForConditionalGeneration

from funasr_beam.model.recognizers import loading
from funasr_beam.model.recognizers.base import RecognizerSettings
from funasr_beam.model.recognizers.precision import (
    chosen_encoder_precision,
    let_products_be_tf32,
    llm_dtype,
    warn_of_slow_bfloat16,
)

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


@pytest.mark.parametrize(
    ("precision", "llm", "device", "chosen"),
    [
        ("auto", "auto", GPU, "tf32"),
        ("auto", "bfloat16", GPU, "tf32"),
        ("auto", "float32", GPU, "float32"),
        ("auto", "auto", CPU, "float32"),
        ("auto", "bfloat16", CPU, "float32"),
        ("float32", "auto", GPU, "float32"),
        ("tf32", "float32", GPU, "tf32"),
        ("tf32", "auto", CPU, "float32"),
        ("bfloat16", "float32", GPU, "bfloat16"),
        ("bfloat16", "float32", CPU, "bfloat16"),
    ],
)
def test_an_encoder_is_rounded_by_itself_only_where_its_language_model_rounds_more(
    card, precision, llm, device, chosen
):
    card(9, 0)
    assert chosen_encoder_precision(precision, llm, device) == chosen


def test_a_card_without_tf32_computes_in_float32(card):
    card(7, 5)
    assert {chosen_encoder_precision(precision, "auto", GPU) for precision in ("auto", "tf32")} == {"float32"}


@pytest.fixture
def products():
    """What torch may round, put back afterwards."""
    backend = torch.backends.cuda.matmul
    before = backend.allow_tf32
    yield backend
    let_products_be_tf32(before)


def test_products_are_rounded_for_the_encoder_that_was_loaded_last_and_not_undone_by_others(
    products, tiny_checkpoint, monkeypatch
):
    for precision, allowed in (("tf32", True), ("float32", False), ("tf32", True)):
        monkeypatch.setattr(loading, "chosen_encoder_precision", lambda *_, precision=precision: precision)
        loading.load_model(tiny_checkpoint, CPU)
        assert products.allow_tf32 is allowed
    loading.load_complete(FunAsrNanoForConditionalGeneration, tiny_checkpoint)
    assert products.allow_tf32
    assert not torch.backends.cudnn.allow_tf32


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
