import hashlib
import json
import shutil

import pytest

from funasr_beam.model import checkpoint
from funasr_beam.model.checkpoint import CheckpointRef, describe, folder_problems, local_folder, resolve, weights_sha256
from funasr_beam.model.errors import RunError, UsageError


@pytest.fixture
def folder(tiny_checkpoint, tmp_path):
    """A checkpoint of this test's own, to be damaged."""
    return shutil.copytree(tiny_checkpoint, tmp_path / "mine")


def edit(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_folder_is_taken_as_it_is(folder):
    assert local_folder(resolve(str(folder))) == folder


def test_short_names_mean_their_hub_id():
    assert resolve("fun-asr-nano") == CheckpointRef("fun-asr-nano", "FunAudioLLM/Fun-ASR-Nano-2512-hf", None)


def test_a_hub_id_is_itself():
    assert resolve("owner/some-model").hub_id == "owner/some-model"


def test_a_hub_id_may_name_its_revision():
    assert resolve("owner/some-model@v1.0") == CheckpointRef("owner/some-model@v1.0", "owner/some-model", None, "v1.0")


def test_the_demo_checkpoint_lies_in_the_package():
    assert resolve("demo").path == checkpoint.DEMO_FOLDER


@pytest.mark.parametrize("name", ["nano", "./no-such-folder", "a/b/c", "", "s3://bucket/model"])
def test_anything_else_is_a_usage_error_that_lists_what_is_known(name):
    with pytest.raises(UsageError, match=r"fun-asr-nano, fun-asr-mlt-nano, demo"):
        resolve(name)


@pytest.mark.parametrize("name", ["fun-asr-mlt-nano", "FunAudioLLM/Fun-ASR-MLT-Nano-2512"])
def test_a_model_that_is_only_published_as_a_pickle_says_what_to_do(name):
    with pytest.raises(RunError, match="Convert it"):
        resolve(name)


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
    edit(folder / name, auto_map={"AutoConfig": "evil.Evil"})
    assert folder_problems(folder) == [f"{name} asks for remote code (auto_map), which is never run"]


def test_an_adapter_is_refused(folder):
    (folder / "adapter_config.json").write_text("{}")
    assert "adapter" in folder_problems(folder)[0]


def test_another_family_is_refused_with_its_name(folder):
    edit(folder / "config.json", model_type="bert")
    assert 'model_type is "bert"' in folder_problems(folder)[0]


@pytest.mark.parametrize("shard", ["model-00001-of-00002.safetensors", "../elsewhere.safetensors"])
def test_an_index_may_only_name_files_of_the_folder(folder, shard):
    (folder.parent / "elsewhere.safetensors").write_bytes(b"")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"lm_head.weight": shard}}))
    assert shard in folder_problems(folder)[0]


def test_broken_json_is_no_traceback(folder):
    (folder / "config.json").write_text("{")
    with pytest.raises(RunError, match="no JSON"):
        folder_problems(folder)


def test_the_checksum_of_one_file_is_the_one_that_sha256sum_prints(folder):
    assert weights_sha256(folder) == hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def test_the_checksum_covers_every_weight_file(folder):
    before = weights_sha256(folder)
    (folder / "ctc_head.safetensors").write_bytes(b"more")
    assert weights_sha256(folder) != before


def test_a_checkpoint_declares_what_it_was_trained_for(folder):
    declared = {"longest_segment_s": 12, "audio_tokens": "all", "languages": ["en", "zh"], "model_id": "tiny"}
    (folder / "funasr_beam.json").write_text(json.dumps(declared))
    info = describe(resolve(str(folder)))
    assert (info.model_id, info.longest_segment_s, info.audio_tokens) == ("tiny", 12.0, "all")
    assert info.languages == ("en", "zh")


def test_without_a_declaration_it_is_like_the_real_ones(folder):
    info = describe(resolve(str(folder)))
    assert (info.model_id, info.revision, info.longest_segment_s, info.audio_tokens) == ("mine", None, 30.0, "low")


def test_the_config_says_whether_all_audio_tokens_were_trained(folder):
    edit(folder / "config.json", use_low_frame_rate=False)
    assert describe(resolve(str(folder))).audio_tokens == "all"


@pytest.mark.parametrize(
    "declared", [{"longest_segment_s": "30"}, {"longest_segment_s": 0}, {"audio_tokens": "some"}, {"languages": ["xx"]}]
)
def test_a_declaration_that_makes_no_sense_is_refused(folder, declared):
    (folder / "funasr_beam.json").write_text(json.dumps(declared))
    with pytest.raises(RunError, match=next(iter(declared))):
        describe(resolve(str(folder)))
