"""Manifests: what is read, and what a wrong line says."""

import json
from pathlib import Path

import pytest

from funasr_beam.model.training.errors import TrainingError
from funasr_beam.model.training.manifest import read_manifests

LINE = {"audio": "a.wav", "duration": 1.5, "language": "en", "text": "thank you"}


def test_offset_and_words_may_be_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps(LINE) + "\n")
    utterance = read_manifests(tmp_path)[0]
    assert utterance.audio == tmp_path / "a.wav"
    assert (utterance.offset_s, utterance.words) == (0.0, ())


def test_words_are_read_with_their_times(tmp_path: Path) -> None:
    line = LINE | {"offset": 3, "words": [["thank", 0.1, 0.5], ["you", 0.5, 0.8]]}
    (tmp_path / "a.jsonl").write_text(json.dumps(line) + "\n")
    assert read_manifests(tmp_path)[0].words == (("thank", 0.1, 0.5), ("you", 0.5, 0.8))


@pytest.mark.parametrize("line", ["{", json.dumps({"audio": "a.wav"}), json.dumps(LINE | {"duration": "long"})])
def test_a_wrong_line_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps(LINE) + "\n" + line + "\n")
    with pytest.raises(TrainingError, match=r"a\.jsonl, line 2"):
        read_manifests(tmp_path)


def test_a_folder_without_manifests_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no "):
        read_manifests(tmp_path)
