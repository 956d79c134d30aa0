import hashlib
import json
import re
import shutil

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForSpeechSeq2Seq, AutoProcessor, FunAsrNanoForConditionalGeneration

from funasr_beam.model.checkpoint import describe, folder_problems, resolve
from funasr_beam.model.conversion.convert import ConversionOptions, convert
from funasr_beam.model.conversion.errors import ConversionError
from funasr_beam.model.conversion.original import read_original
from funasr_beam.model.ctc_head import load_ctc_head
from funasr_beam.model.recognizers.base import RecognizerSettings
from funasr_beam.model.recognizers.families import load_recognizer
from tests.audio_doubles import mixed_utterances
from tests.original_checkpoint import Recipe, different_tensors, write_original


@pytest.fixture(scope="module")
def converted(pristine, tmp_path_factory):
    return convert(pristine, tmp_path_factory.mktemp("converted") / "tiny")


def edit(original, change):
    """Change the tensors of a model.pt."""
    tensors = {name: tensor.clone() for name, tensor in read_original(original / "model.pt").items()}
    change(tensors)
    torch.save({"state_dict": tensors}, original / "model.pt")


def test_the_result_loads_through_transformers_own_classes(converted):
    model, report = AutoModelForSpeechSeq2Seq.from_pretrained(converted.output, output_loading_info=True)
    assert isinstance(model, FunAsrNanoForConditionalGeneration)
    assert not report["missing_keys"] and not report["unexpected_keys"] and not report["mismatched_keys"]
    processor = AutoProcessor.from_pretrained(converted.output)
    prompt = processor.apply_transcription_request("none.wav", language="en", tokenize=False)
    assert "语音转写成英文：<|object_ref_start|>" in prompt[0]
    assert not model.generation_config.do_sample


def test_every_number_arrives_unchanged_and_none_is_added(converted, pristine):
    assert different_tensors(pristine, converted.output) == []
    before, after = read_original(pristine / "model.pt"), load_file(converted.output / "model.safetensors")
    assert "lm_head.weight" not in after  # tied
    numbers = sum(tensor.numel() for name, tensor in before.items() if not name.startswith(("ctc", "llm.lm_head")))
    assert sum(tensor.numel() for tensor in after.values()) == numbers
    assert {tensor.dtype for tensor in after.values()} == {torch.bfloat16}


def test_a_round_trip_sees_a_number_that_has_changed(original, tmp_path):
    done = convert(original, tmp_path / "out")
    edit(original, lambda tensors: tensors["audio_encoder.encoders.0.self_attn.linear_q_k_v.bias"][7].add_(1))
    assert different_tensors(original, done.output) == ["audio_encoder.encoders.0.self_attn.linear_q_k_v.bias"]


def test_the_result_recognises_and_times_words(converted):
    recognizer = load_recognizer(str(converted.output), RecognizerSettings(device="cpu", base_tokens=4, tokens_per_s=2))
    found = recognizer.recognize(mixed_utterances(16))
    assert {"ctc", "none"} == {hypothesis.timestamp_source for hypothesis in found}
    assert len({hypothesis.text for hypothesis in found}) > 8


def test_checksums_of_source_and_result_are_recorded(converted, pristine):
    declared = json.loads((converted.output / "funasr_beam.json").read_text())
    assert declared["converted_from"]["sha256"] == hashlib.sha256((pristine / "model.pt").read_bytes()).hexdigest()
    for name, digest in declared["sha256"].items():
        assert hashlib.sha256((converted.output / name).read_bytes()).hexdigest() == digest
    assert set(declared["sha256"]) == {"model.safetensors", "ctc_head.safetensors"}
    assert declared["prompt"] == {"think_block": False, "system_line": True}


def test_converting_again_gives_the_same_bytes(converted, pristine, tmp_path):
    assert convert(pristine, tmp_path / "again").sha256s == converted.sha256s


def test_the_result_is_a_checkpoint_like_any_other(converted):
    assert folder_problems(converted.output) == []
    info = describe(resolve(str(converted.output)))
    assert (info.audio_tokens, info.longest_segment_s, info.model_id) == ("low", 30.0, "Fun-ASR-Tiny")


def test_a_checkpoint_trained_on_all_audio_tokens_says_so(original, tmp_path):
    path = original / "config.yaml"
    path.write_text(path.read_text().replace("use_low_frame_rate: true", "use_low_frame_rate: false"))
    done = convert(original, tmp_path / "all")
    assert describe(resolve(str(done.output))).audio_tokens == "all"


@pytest.mark.parametrize(
    ("kind", "why"),
    [("none", "has no CTC head"), ("newborn", "untrained: every LayerNorm"), ("zero", "untrained: .* is constant")],
)
def test_a_head_that_is_absent_or_untrained_never_gives_times(kind, why, tmp_path):
    original = write_original(tmp_path / "original", Recipe(ctc=kind))
    done = convert(original, tmp_path / "out")
    assert re.search(why, done.without_times)
    assert load_ctc_head(done.output) is None
    assert not load_recognizer(str(done.output), RecognizerSettings(device="cpu")).has_word_times


def test_a_head_may_be_left_out(original, tmp_path):
    (original / "multilingual.tiktoken").unlink()
    with pytest.raises(ConversionError, match=r"multilingual\.tiktoken is missing"):
        convert(original, tmp_path / "out")
    done = convert(original, tmp_path / "out", ConversionOptions(with_ctc=False))
    assert "--without-ctc" in done.without_times


@pytest.mark.parametrize("name", ["audio_encoder.tp_norm.bias", "llm.model.norm.weight", "ctc.ctc_lo.bias"])
def test_one_missing_tensor_is_refused_by_name_and_nothing_is_written(original, tmp_path, name):
    edit(original, lambda tensors: tensors.pop(name))
    with pytest.raises(ConversionError, match=f"{name} is missing"):
        convert(original, tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["Fun-ASR-Tiny"]


def test_numbers_that_are_not_finite_are_refused_by_name(original, tmp_path):
    edit(original, lambda tensors: tensors["llm.model.norm.weight"].__setitem__(3, float("inf")))
    with pytest.raises(ConversionError, match=r"llm\.model\.norm\.weight holds numbers that are not finite"):
        convert(original, tmp_path / "out")


def test_an_output_layer_of_its_own_is_kept(original, tmp_path):
    edit(original, lambda tensors: tensors["llm.lm_head.weight"].mul_(2))
    done = convert(original, tmp_path / "out")
    model, report = FunAsrNanoForConditionalGeneration.from_pretrained(done.output, output_loading_info=True)
    assert not report["missing_keys"]
    assert torch.equal(model.lm_head.weight, 2 * model.get_input_embeddings().weight)


def test_a_tokenizer_of_another_model_is_refused(original, tmp_path):
    path = original / "Qwen3-0.6B" / "tokenizer.json"
    path.write_text(path.read_text().replace("<|object_ref_start|>", "<|other|>"))
    config = original / "Qwen3-0.6B" / "tokenizer_config.json"
    config.write_text(config.read_text().replace("<|object_ref_start|>", "<|other|>"))
    with pytest.raises(ConversionError, match=r"<\|object_ref_start\|> is missing"):
        convert(original, tmp_path / "out")


def test_an_output_that_holds_something_is_left_alone(original, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("x")
    with pytest.raises(ConversionError, match="is there already"):
        convert(original, tmp_path / "out")
    assert (tmp_path / "out" / "mine").read_text() == "x"


def test_the_folders_name_tells_which_published_model_it_is(original, tmp_path):
    folder = shutil.move(original, tmp_path / "Fun-ASR-MLT-Nano-2512")
    info = describe(resolve(str(convert(folder, tmp_path / "out").output)))
    assert info.model_id == "fun-asr-mlt-nano" and len(info.languages) == 31
    told = convert(folder, tmp_path / "told", ConversionOptions(known_as="fun-asr-nano"))
    assert describe(resolve(str(told.output))).languages == ("zh", "en", "ja")
