import json
import shutil

import pytest

from funasr_beam.model import checkpoint
from funasr_beam.model.checkpoint import CheckpointRef, describe, local_folder, resolve
from funasr_beam.model.errors import RunError, UsageError
from tests.json_files import edit_json


@pytest.fixture
def folder(tiny_checkpoint, tmp_path):
    """A checkpoint of this test's own, to be damaged."""
    return shutil.copytree(tiny_checkpoint, tmp_path / "mine")


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


@pytest.mark.parametrize("name", ["nano", "./no-such-folder", "a/b/c", "", "foo://bucket/model"])
def test_anything_else_is_a_usage_error_that_lists_what_is_known(name):
    with pytest.raises(UsageError, match=r"fun-asr-nano, fun-asr-mlt-nano, .*, demo"):
        resolve(name)


@pytest.mark.parametrize("name", ["fun-asr-mlt-nano", "FunAudioLLM/Fun-ASR-MLT-Nano-2512"])
def test_a_model_that_is_only_published_as_a_pickle_says_what_to_do(name):
    with pytest.raises(RunError, match="funasr-beam convert Fun-ASR-MLT-Nano-2512"):
        resolve(name)


def test_an_original_that_is_published_in_another_format_too_says_so():
    with pytest.raises(RunError, match="--model fun-asr-nano"):
        resolve("FunAudioLLM/Fun-ASR-Nano-2512")


@pytest.mark.parametrize("name", ["fun-asr-nano", "fun-asr-mlt-nano"])
def test_a_short_name_means_the_copy_that_was_converted_here(name, tmp_path, monkeypatch):
    monkeypatch.setenv("FUNASR_BEAM_HOME", str(tmp_path))
    (tmp_path / "models" / name).mkdir(parents=True)
    assert resolve(name) == CheckpointRef(name, None, tmp_path / "models" / name)


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
    edit_json(folder / "config.json", use_low_frame_rate=False)
    assert describe(resolve(str(folder))).audio_tokens == "all"


@pytest.mark.parametrize(
    "declared",
    [
        {"longest_segment_s": "30"},
        {"longest_segment_s": 0},
        {"audio_tokens": "some"},
        {"sample_scale": 0},
        {"languages": ["xx"]},
    ],
)
def test_a_declaration_that_makes_no_sense_is_refused(folder, declared):
    (folder / "funasr_beam.json").write_text(json.dumps(declared))
    with pytest.raises(RunError, match=next(iter(declared))):
        describe(resolve(str(folder)))
