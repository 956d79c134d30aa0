import shutil

import pytest

from funasr_beam.model.conversion.architecture import LlmSizes
from funasr_beam.model.conversion.errors import ConversionError
from funasr_beam.model.conversion.source import find_original, llm_sizes
from tests.json_files import edit_json


def refused(folder, **options):
    with pytest.raises(ConversionError) as error:
        find_original(folder, **options)
    return str(error.value)


def test_a_folder_and_its_model_pt_are_the_same_thing(original):
    assert find_original(original) == find_original(original / "model.pt")
    assert find_original(original).name == "Fun-ASR-Tiny"


def test_what_is_missing_is_named(original, tmp_path):
    assert "no-such is not there" in refused(tmp_path / "no-such")
    (original / "model.pt").unlink()
    assert "model.pt is missing" in refused(original)


def test_a_model_pt_on_its_own_lacks_its_tokenizer(original, tmp_path):
    shutil.copy(original / "model.pt", tmp_path / "model.pt")
    message = refused(tmp_path / "model.pt")
    assert "there is no tokenizer" in message and "--tokenizer FOLDER" in message
    assert find_original(tmp_path / "model.pt", original / "Qwen3-0.6B").llm == original / "Qwen3-0.6B"


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt.ep3", "optimizer.pt", "Qwen3-0.6B/training_args.bin"])
def test_other_pickles_are_refused_by_name(original, name):
    if name == "model.pt.ep3":
        (original / name).write_bytes(b"x")
        assert find_original(original / name).weights.name == name  # told by its name, it is the one to convert
        return
    (original / name).write_bytes(b"x")
    assert f"{name} is a pickle" in refused(original)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "weights.pt", "model.pth"])
def test_only_a_model_pt_is_converted(original, name):
    (original / "model.pt").rename(original / name)
    assert "only FunASR's model.pt" in refused(original / name)


@pytest.mark.parametrize("name", ["model.py", "Qwen3-0.6B/modeling.py"])
def test_code_beside_a_checkpoint_is_refused_with_what_to_do(original, name):
    (original / name).write_text("import os")
    message = refused(original)
    assert f"{name} is code" in message and "move it away" in message


def test_remote_code_is_refused(original):
    path = original / "Qwen3-0.6B" / "config.json"
    edit_json(path, auto_map={"AutoConfig": "evil.Evil"})
    assert "config.json asks for remote code (auto_map)" in refused(original)


def test_a_folder_in_the_transformers_format_is_pointed_at_the_right_command(tiny_checkpoint):
    assert "in the transformers format already: --model FOLDER" in refused(tiny_checkpoint)


def test_without_a_configuration_the_llm_is_as_published(original):
    (original / "Qwen3-0.6B" / "config.json").unlink()
    assert llm_sizes(original / "Qwen3-0.6B") == LlmSizes()


@pytest.mark.parametrize("content", ["{", "[]", '{"model_type": "llama"}', '{"model_type": "qwen3"}'])
def test_another_llm_is_refused(original, content):
    (original / "Qwen3-0.6B" / "config.json").write_text(content)
    with pytest.raises(ConversionError, match=r"config\.json"):
        llm_sizes(original / "Qwen3-0.6B")
