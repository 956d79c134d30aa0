import pytest

from funasr_beam.model.checkpoint import describe, local_folder, resolve
from funasr_beam.model.checkpoint_folder import weights_sha256
from funasr_beam.model.errors import RunError
from funasr_beam.model.stored_checkpoint import fetch_folder, is_stored


@pytest.fixture
def stored(s3, tiny_checkpoint, tmp_path, monkeypatch):
    """A checkpoint in an object store, with files beside it that nobody should fetch."""
    monkeypatch.setenv("FUNASR_BEAM_HOME", str(tmp_path / "home"))
    uri = s3.fresh("tiny-model")
    files = s3.file_system()
    files.put(str(tiny_checkpoint), uri, recursive=True)
    files.pipe(f"{uri}/model.pt", b"a pickle")
    files.pipe(f"{uri}/model.py", b"code")
    return uri


def test_a_checkpoint_in_an_object_store_is_loaded_from_its_copy(stored, tiny_checkpoint):
    folder = local_folder(resolve(stored))
    assert weights_sha256(folder) == weights_sha256(tiny_checkpoint)
    assert not list(folder.glob("*.p[ty]"))
    info = describe(resolve(stored))
    assert (info.model_id, info.sha256) == ("tiny-model", weights_sha256(tiny_checkpoint))


def test_it_is_copied_once_for_each_version(stored, s3):
    first = fetch_folder(stored)
    written = (first / "model.safetensors").stat().st_mtime_ns
    assert fetch_folder(f"{stored}/") == first
    assert (first / "model.safetensors").stat().st_mtime_ns == written
    s3.file_system().pipe(f"{stored}/generation_config.json", b"{}")
    second = fetch_folder(stored)
    assert second != first
    assert (second / "generation_config.json").read_text() == "{}"


def test_an_empty_place_is_a_message(stored):
    with pytest.raises(RunError, match="holds no model"):
        fetch_folder(f"{stored}/nothing-here")


def test_an_incomplete_folder_names_what_is_missing(stored, s3):
    s3.file_system().rm(f"{stored}/tokenizer.json")
    with pytest.raises(RunError, match=r"tokenizer\.json is missing"):
        local_folder(resolve(stored))


@pytest.mark.parametrize(
    ("name", "stored"), [("s3://b/m", True), ("gs://b/m", True), ("https://host/v1", False), ("owner/name", False)]
)
def test_only_object_stores_hold_folders(name, stored):
    assert is_stored(name) is stored
