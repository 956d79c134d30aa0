"""The corpus writer: shards of WAV and manifest that training reads back."""

from pathlib import Path

import numpy as np
import pytest

from funasr_beam.model.demo_speech import corpus
from funasr_beam.model.demo_speech.corpus import CorpusRecipe, utterance
from funasr_beam.model.training.features import read_samples
from funasr_beam.model.training.manifest import read_manifests

pytestmark = pytest.mark.usefixtures("espeak")


def test_what_was_written_is_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus, "PER_SHARD", 3)
    recipe = CorpusRecipe(hours=0.0)
    seconds = corpus._write_shard((recipe, tmp_path, 1))
    utterances = read_manifests(tmp_path)
    assert sum(item.duration_s for item in utterances) == pytest.approx(seconds)
    for index, item in enumerate(utterances, 3):
        made = utterance(recipe, index)
        assert item.text == made.text
        assert [word for word, _, _ in item.words] == [word.word for word in made.words]
        assert np.allclose(read_samples(item), made.samples, atol=1e-3)


def test_a_finished_shard_is_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus, "PER_SHARD", 1)
    job = (CorpusRecipe(), tmp_path, 0)
    first = corpus._write_shard(job)
    monkeypatch.setattr(corpus, "_write_audio", None)
    assert corpus._write_shard(job) == first


def test_utterances_keep_to_the_longest_length() -> None:
    recipe = CorpusRecipe(longest_s=8.0)
    durations = [utterance(recipe, index).duration_s for index in range(40)]
    assert max(durations) < 9.0
    assert np.mean(durations) > 3.0
