import json
import shutil

import pytest
import torch
from transformers import (
    FunAsrNanoForConditionalGeneration,
    GlmAsrForConditionalGeneration,
    Qwen3ASRForConditionalGeneration,
    Qwen3ASRForTokenClassification,
    Qwen3ASRProcessor,
    WhisperForConditionalGeneration,
)

from funasr_beam.model.checkpoint import resolve
from funasr_beam.model.errors import RunError
from funasr_beam.model.recognizers.base import RecognizerSettings
from funasr_beam.model.recognizers.fun_asr_nano import FunAsrNanoRecognizer
from funasr_beam.model.recognizers.loading import (
    check_attention,
    load_complete,
    load_model,
    load_processor,
    lower_encoder_precision,
    lower_llm_precision,
    lower_precision,
)
from tests.audio_doubles import mixed_utterances
from tests.tiny_checkpoint import build_checkpoint
from tests.tiny_families import build_glm_asr, build_qwen3_aligner, build_qwen3_asr, build_whisper


def lower_everything(model):
    lower_llm_precision(model)
    lower_encoder_precision(model)


LOWERED = {
    "Fun-ASR-Nano, LLM": (build_checkpoint, FunAsrNanoForConditionalGeneration, lower_llm_precision),
    "Fun-ASR-Nano": (build_checkpoint, FunAsrNanoForConditionalGeneration, lower_everything),
    "Qwen3-ASR": (build_qwen3_asr, Qwen3ASRForConditionalGeneration, lower_llm_precision),
    "GLM-ASR": (build_glm_asr, GlmAsrForConditionalGeneration, lower_llm_precision),
    "Whisper": (build_whisper, WhisperForConditionalGeneration, torch.nn.Module.bfloat16),
    "aligner": (build_qwen3_aligner, Qwen3ASRForTokenClassification, lower_precision),
}


@pytest.fixture(scope="module")
def utterances():
    return mixed_utterances(4)


def test_without_an_attention_implementation_padding_leaks_and_loading_refuses_it(tiny_checkpoint):
    careless = FunAsrNanoForConditionalGeneration.from_pretrained(tiny_checkpoint)
    with pytest.raises(RunError, match="adaptor"):
        check_attention(careless)
    assert padding_leak(careless.eval()) > 1e-3
    assert padding_leak(load_model(tiny_checkpoint, torch.device("cpu"))) < 1e-4


def padding_leak(model):
    """How far a short utterance's embeddings move when a longer one is beside it."""
    torch.manual_seed(0)
    features, mask = torch.randn(2, 60, 560), torch.ones(2, 60, dtype=torch.long)
    mask[0, 20:] = 0
    with torch.inference_mode():
        together = model.get_audio_features(features, mask).pooler_output[:20]
        single = model.get_audio_features(features[:1, :20], mask[:1, :20]).pooler_output
    return (together - single).abs().max().item()


def test_loading_says_nothing(tiny_checkpoint, capfd):
    FunAsrNanoRecognizer.load(resolve(str(tiny_checkpoint)), RecognizerSettings(device="cpu"))
    assert capfd.readouterr() == ("", "")


def test_attention_is_kept_from_cudnn_which_plans_for_each_new_shape(tiny_checkpoint):
    torch.backends.cuda.enable_cudnn_sdp(True)
    load_model(tiny_checkpoint, torch.device("cpu"))
    assert not torch.backends.cuda.cudnn_sdp_enabled()
    assert torch.backends.cuda.flash_sdp_enabled()
    assert torch.backends.cuda.mem_efficient_sdp_enabled()


def without(checkpoint, tensor, folder):
    """A copy of a checkpoint that lacks a tensor."""
    from safetensors.torch import load_file, save_file

    shutil.copytree(checkpoint, folder)
    weights = load_file(folder / "model.safetensors")
    weights.pop(tensor)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def test_weights_with_a_hole_are_refused_instead_of_being_random(tiny_checkpoint, tmp_path):
    folder = without(tiny_checkpoint, "model.multi_modal_projector.linear_1.weight", tmp_path / "hole")
    with pytest.raises(RunError, match=r"multi_modal_projector\.linear_1\.weight"):
        FunAsrNanoRecognizer.load(resolve(str(folder)), RecognizerSettings(device="cpu"))


@pytest.mark.parametrize("stored", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", LOWERED)
def test_weights_read_into_bfloat16_are_those_that_were_read_into_float32_and_lowered(name, stored, tmp_path):
    build, kind, lower = LOWERED[name]
    folder = build(tmp_path)
    kind.from_pretrained(folder, dtype=torch.float32).to(stored).save_pretrained(folder)
    expected = load_complete(kind, folder)
    lower(expected)
    found = load_complete(kind, folder, lower)
    for tensors in (torch.nn.Module.named_parameters, torch.nn.Module.named_buffers):  # tied ones are named once
        old, new = (dict(tensors(model)) for model in (expected, found))
        assert old.keys() == new.keys()
        assert all(old[key].dtype == new[key].dtype and torch.equal(old[key], new[key]) for key in old)
    assert [str(type(module)) for module in found.modules()] == [str(type(module)) for module in expected.modules()]


@pytest.mark.parametrize("name", LOWERED)
def test_nothing_that_is_read_into_bfloat16_is_ever_held_in_float32(name, tmp_path, monkeypatch):
    build, kind, lower = LOWERED[name]
    folder = build(tmp_path)
    kind.from_pretrained(folder).half().save_pretrained(folder)  # every number has to be converted
    converted = []  # by any thread
    plain_to = torch.Tensor.to

    def watched_to(tensor, *arguments, **options):
        result = plain_to(tensor, *arguments, **options)
        converted.append(0 if result.is_meta or result is tensor else result.nbytes)
        return result

    monkeypatch.setattr(torch.Tensor, "to", watched_to)
    model = load_complete(kind, folder, lower)
    weights = sum(weight.nbytes for weight in model.parameters())
    assert weights <= sum(converted) <= 1.05 * weights


def test_a_hole_in_the_weights_of_a_lowered_model_is_told_of_by_name(tiny_checkpoint, tmp_path):
    folder = without(tiny_checkpoint, "model.language_model.norm.weight", tmp_path / "hole")
    with pytest.raises(RunError, match=r"1 tensors are missing .* model\.language_model\.norm\.weight"):
        load_model(folder, torch.device("cpu"), llm_precision="bfloat16")


def test_truncated_weights_are_a_readable_error(tiny_checkpoint, tmp_path):
    folder = shutil.copytree(tiny_checkpoint, tmp_path / "cut")
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[: len(content) // 2])
    with pytest.raises(RunError, match="cannot be loaded"):
        FunAsrNanoRecognizer.load(resolve(str(folder)), RecognizerSettings(device="cpu"))


def test_a_configuration_that_contradicts_itself_is_a_readable_error(tiny_checkpoint, tmp_path):
    folder = tmp_path / "odd"
    shutil.copytree(tiny_checkpoint, folder)
    config = json.loads((folder / "config.json").read_text())
    config["text_config"]["hidden_size"] *= 3
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(RunError, match="odd cannot be loaded: StrictDataclass"):
        load_model(folder, torch.device("cpu"))


def test_the_files_of_another_family_are_a_readable_error(tiny_checkpoint):
    with pytest.raises(RunError, match="cannot be loaded: AttributeError"):
        load_processor(tiny_checkpoint, Qwen3ASRProcessor)


def test_weights_stored_in_float16_are_computed_in_float32(tiny_checkpoint, tmp_path, utterances):
    folder = shutil.copytree(tiny_checkpoint, tmp_path / "half")
    FunAsrNanoForConditionalGeneration.from_pretrained(folder).half().save_pretrained(folder)
    half = FunAsrNanoRecognizer.load(resolve(str(folder)), RecognizerSettings(device="cpu"))
    assert {parameter.dtype for parameter in half._model.parameters()} == {torch.float32}
    assert len(half.recognize(utterances[:2])) == 2


def test_the_llm_computes_in_bfloat16_by_choice_beside_a_float32_encoder(tiny_checkpoint, utterances):
    plain, mixed = (
        FunAsrNanoRecognizer.load(resolve(str(tiny_checkpoint)), RecognizerSettings("cpu", llm_precision=precision))
        for precision in ("auto", "bfloat16")
    )
    parts, plain_parts = mixed._model.model, plain._model.model
    assert {part.dtype for part in plain._model.parameters()} == {torch.float32}
    assert {part.dtype for part in parts.language_model.parameters()} == {torch.bfloat16}
    assert {part.dtype for part in parts.audio_tower.parameters()} == {torch.float32}
    assert mixed._model.lm_head.weight is mixed._model.get_input_embeddings().weight
    frequencies = parts.language_model.rotary_emb.inv_freq
    assert torch.equal(frequencies, plain_parts.language_model.rotary_emb.inv_freq)
    assert all(hypothesis.tokens for hypothesis in mixed.recognize(utterances))


def test_the_encoder_computes_in_bfloat16_by_choice_and_the_language_model_stays_as_it_is(tiny_checkpoint, utterances):
    settings = RecognizerSettings(device="cpu", encoder_precision="bfloat16", base_tokens=4, tokens_per_s=0)
    recognizer = FunAsrNanoRecognizer.load(resolve(str(tiny_checkpoint)), settings)
    parts = recognizer._model.model
    lowered = {part.dtype for own in (parts.audio_tower, parts.multi_modal_projector) for part in own.parameters()}
    assert lowered == {torch.bfloat16}
    assert {part.dtype for part in parts.language_model.parameters()} == {torch.float32}
    assert all(len(hypothesis.tokens) > 0 for hypothesis in recognizer.recognize(utterances))
