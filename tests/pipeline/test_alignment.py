"""From flags and settings to aligners."""

import string

import pytest

from funasr_beam.model.errors import UsageError
from funasr_beam.pipeline.alignment import alignment_identity, alignment_settings
from funasr_beam.pipeline.config_sources import load_config
from tests.tiny_families import build_wav2vec2


def settings(*assignments):
    return alignment_settings(load_config(None, ["input=in", "output=out", *assignments], {}))


def test_nothing_is_downloaded_unless_an_aligner_is_asked_for():
    assert settings().models() == []
    assert alignment_identity(settings()).keys() == {"aligner", "languages"}


def test_a_flag_is_enough_where_the_model_is_known():
    assert settings("alignment.aligner=qwen3").qwen3 == "Qwen/Qwen3-ForcedAligner-0.6B-hf"
    swedish = settings("alignment.aligner=wav2vec2", "recognition.language=sv")
    assert swedish.models() == [("wav2vec2", "KBLab/wav2vec2-large-voxrex-swedish")]
    assert settings("alignment.aligner=wav2vec2", "recognition.language=th").models()[0][1].startswith("MahmoudAshraf")


def test_a_flag_without_a_model_is_told_what_is_missing():
    with pytest.raises(UsageError, match=r"such as --set alignment\.wav2vec2\.de="):
        settings("alignment.aligner=wav2vec2")
    with pytest.raises(UsageError, match="no language code"):
        settings('alignment.wav2vec2.klingon="owner/model"')


def test_the_weights_of_an_aligner_are_part_of_what_is_resumed(tmp_path, monkeypatch):
    build_wav2vec2(tmp_path / "one", string.ascii_lowercase + "ä", seed=1)
    build_wav2vec2(tmp_path / "two", string.ascii_lowercase + "ä", seed=2)
    monkeypatch.chdir(tmp_path)
    one, two = (settings(f'alignment.wav2vec2.de="{name}"') for name in ("one", "two"))
    assert one.models() == [("wav2vec2", str(tmp_path / "one"))]
    assert set(alignment_identity(one).values()) != set(alignment_identity(two).values())
