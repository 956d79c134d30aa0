import shutil
import socket
import time

import pytest

from funasr_beam.model import hub
from funasr_beam.model.checkpoint import CheckpointRef, describe, local_folder, resolve
from funasr_beam.model.errors import RunError


@pytest.fixture
def settings(monkeypatch, tmp_path):
    """An empty cache, and a hub whose address the test sets."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(hub, "_ANSWER_TIMEOUT_S", 0.2)
    return constants


def assert_refused_with_help(name):
    with pytest.raises(RunError, match="hf download owner/model --local-dir model") as error:
        local_folder(CheckpointRef(name, "owner/model", None))
    assert "--model demo" in str(error.value)
    assert "--model /path/to/model" in str(error.value)


def test_without_a_network_the_message_says_how_to_get_the_weights(settings):
    assert_refused_with_help("no network")


def test_offline_on_purpose_does_not_even_try(settings, monkeypatch):
    monkeypatch.setattr(settings, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(hub, "_probe", lambda url: pytest.fail("tried"))
    assert_refused_with_help("offline")


def test_a_network_that_swallows_everything_does_not_hang_the_run(settings, monkeypatch):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setattr(settings, "ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        start = time.monotonic()
        assert_refused_with_help("black hole")
        assert time.monotonic() - start < 30


def test_a_snapshot_in_the_cache_needs_no_network(settings, tiny_checkpoint, tmp_path):
    repository = tmp_path / "hub" / "models--owner--model"
    shutil.copytree(tiny_checkpoint, repository / "snapshots" / "abc123")
    (repository / "refs").mkdir()
    for name in ("main", "v1"):
        (repository / "refs" / name).write_text("abc123")
    assert local_folder(resolve("owner/model@v1")).name == "abc123"
    ref = CheckpointRef("cached", "owner/model", None)
    assert local_folder(ref).name == "abc123"
    assert describe(ref).model_id == "owner/model"
    assert describe(ref).revision == "abc123"
