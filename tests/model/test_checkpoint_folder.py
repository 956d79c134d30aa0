import hashlib
import json
import shutil

import pytest

from funasr_beam.model.checkpoint import CheckpointRef, local_folder
from funasr_beam.model.checkpoint_folder import folder_problems, weights_sha256
from funasr_beam.model.errors import RunError
from tests.json_files import edit_json


@pytest.fixture
def folder(tiny_checkpoint, tmp_path):
    """A checkpoint of this test's own, to be damaged."""
    return shutil.copytree(tiny_checkpoint, tmp_path / "mine")


def test_a_whole_folder_has_no_problems(folder):
    assert folder_problems(folder) == []


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors", "processor_config.json"])
def test_what_is_missing_is_named(folder, name):
    (folder / name).unlink()
    assert [problem for problem in folder_problems(folder) if problem.startswith(f"{name} ")]


def test_all_problems_are_named_at_once(tmp_path):
    with pytest.raises(RunError) as error:
        local_folder(CheckpointRef("x", None, tmp_path))
    assert all(name in str(error.value) for name in ("config.json", "tokenizer.json", "model.safetensors"))


def test_pickles_are_refused_by_name(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    assert any("only pickles (pytorch_model.bin)" in problem for problem in folder_problems(folder))


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json", "processor_config.json"])
def test_remote_code_is_refused(folder, name):
    edit_json(folder / name, auto_map={"AutoConfig": "evil.Evil"})
    assert [problem.partition(",")[0] for problem in folder_problems(folder)] == [
        f"{name} asks for remote code (auto_map)"
    ]


def test_code_in_the_folder_is_refused(folder):
    (folder / "modeling.py").write_text("import os")
    assert folder_problems(folder) == [
        "modeling.py is code, and no checkpoint's code is run; move it away if nothing needs it"
    ]


def test_an_original_folder_is_pointed_at_its_conversion(tmp_path):
    (tmp_path / "model.pt").write_bytes(b"x")
    assert f"funasr-beam convert {tmp_path}" in folder_problems(tmp_path)[0]


def test_an_adapter_is_refused(folder):
    (folder / "adapter_config.json").write_text("{}")
    assert "adapter" in folder_problems(folder)[0]


def test_another_family_is_refused_with_its_name(folder):
    edit_json(folder / "config.json", model_type="bert")
    assert 'model_type is "bert"' in folder_problems(folder)[0]


@pytest.mark.parametrize("shard", ["model-00001-of-00002.safetensors", "../elsewhere.safetensors"])
def test_an_index_may_only_name_files_of_the_folder(folder, shard):
    (folder.parent / "elsewhere.safetensors").write_bytes(b"")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"lm_head.weight": shard}}))
    assert shard in folder_problems(folder)[0]


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json"])
def test_broken_json_is_no_traceback(folder, name):
    (folder / name).write_text("{")
    with pytest.raises(RunError, match="no JSON"):
        folder_problems(folder)


def test_the_checksum_of_one_file_is_the_one_that_sha256sum_prints(folder):
    assert weights_sha256(folder) == hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def test_the_checksum_covers_every_weight_file(folder):
    before = weights_sha256(folder)
    (folder / "ctc_head.safetensors").write_bytes(b"more")
    assert weights_sha256(folder) != before
