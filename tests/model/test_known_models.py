import pytest

from funasr_beam.model.checkpoint import resolve
from funasr_beam.model.errors import RunError
from funasr_beam.model.known_models import KNOWN_MODELS, find_known, how_to_get, identify_original, models_home
from funasr_beam.model.languages import language_code


@pytest.mark.parametrize("model", KNOWN_MODELS, ids=lambda model: model.name)
def test_every_name_can_be_resolved_or_says_how_to_get_it(model, monkeypatch, tmp_path):
    monkeypatch.setenv("FUNASR_BEAM_HOME", str(tmp_path))
    if model.hub_id:
        assert resolve(model.name).hub_id == model.hub_id
    else:
        with pytest.raises(RunError, match=f"--model {model.name} finds it"):
            resolve(model.name)
    assert how_to_get(model)


@pytest.mark.parametrize("model", KNOWN_MODELS, ids=lambda model: model.name)
def test_every_language_is_one_that_may_be_asked_for(model):
    assert model.languages
    assert all(language_code(code, model.languages) == code for code in model.languages)


def test_names_and_checksums_are_of_one_model_each():
    names = [model.name for model in KNOWN_MODELS]
    checksums = [digest for model in KNOWN_MODELS for digest in model.original_sha256s]
    assert len(set(names)) == len(names)
    assert len(set(checksums)) == len(checksums)
    assert all(len(digest) == 64 for digest in checksums)


def test_an_original_is_known_by_its_checksum_before_its_folder():
    nano = find_known("fun-asr-nano")
    assert identify_original(nano.original_sha256s[0], "Fun-ASR-MLT-Nano-2512") is nano
    assert identify_original("0" * 64, "Fun-ASR-MLT-Nano-2512") is find_known("fun-asr-mlt-nano")
    assert identify_original("0" * 64, "fun-asr-nano") is nano
    assert identify_original("0" * 64, "finetuned") is None


def test_the_home_of_converted_models_can_be_moved(monkeypatch, tmp_path):
    monkeypatch.setenv("FUNASR_BEAM_HOME", str(tmp_path))
    assert models_home() == tmp_path / "models"
    monkeypatch.delenv("FUNASR_BEAM_HOME")
    assert models_home().parts[-3:] == (".cache", "funasr-beam", "models")
