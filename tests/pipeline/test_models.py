"""What a user of `funasr-beam models` sees."""

import json
import shutil

import pytest

from funasr_beam.pipeline.cli import main


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A machine without any model but the one that ships with the project."""
    monkeypatch.setenv("FUNASR_BEAM_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "home"


def listed(capsys):
    assert main(["models", "--json"]) == 0
    return {model["name"]: model for model in json.loads(capsys.readouterr().out)}


def test_on_a_bare_machine_only_the_demo_is_ready(capsys):
    models = listed(capsys)
    assert {name for name, model in models.items() if model["ready"]} == {"demo"}
    assert {"fun-asr-nano", "fun-asr-mlt-nano", "qwen3-asr", "whisper-large-v3"} <= set(models)


def test_converted_models_are_found_under_their_names(home, tiny_checkpoint, capsys):
    shutil.copytree(tiny_checkpoint, home / "models" / "fun-asr-mlt-nano")
    shutil.copytree(tiny_checkpoint, home / "models" / "mine")
    models = listed(capsys)
    assert models["fun-asr-mlt-nano"]["ready"]
    assert models[str(home / "models" / "mine")]["ready"]


def test_a_copy_that_cannot_be_loaded_says_why(home, tiny_checkpoint, capsys):
    folder = shutil.copytree(tiny_checkpoint, home / "models" / "fun-asr-mlt-nano")
    (folder / "model.safetensors").unlink()
    model = listed(capsys)["fun-asr-mlt-nano"]
    assert not model["ready"]
    assert model["problem"] == "model.safetensors is missing"
    assert main(["models"]) == 0
    assert "unusable: model.safetensors is missing" in capsys.readouterr().out


def test_the_list_says_what_each_is_for(capsys):
    assert main(["models"]) == 0
    out = capsys.readouterr().out
    assert "fun-asr-nano" in out and "ready" in out and "\x1b" not in out


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("fun-asr-mlt-nano", ["funasr-beam convert Fun-ASR-MLT-Nano-2512", "sl sv"]),
        ("fun-asr-nano", ["1.80 %  AIShell-1", "README of FunAudioLLM/Fun-ASR", "hf download"]),
        ("demo", ["synthetic speech only"]),
    ],
)
def test_one_model_is_shown_with_all_that_is_known(name, says, capsys):
    assert main(["models", name]) == 0
    out = capsys.readouterr().out
    assert all(text in out for text in says)


def test_an_unknown_name_lists_the_known_ones(capsys):
    assert main(["models", "nano"]) == 2
    assert "fun-asr-nano" in capsys.readouterr().err
