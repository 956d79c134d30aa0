"""The letter aligner: known scores give known times, and real classes run in batches."""

import json
import string
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from funasr_beam.model.aligners.base import AlignTask
from funasr_beam.model.aligners.loading import load_aligner
from funasr_beam.model.aligners.wav2vec2 import Frames, Wav2Vec2Aligner, read_letters
from funasr_beam.model.alignment import split_words
from funasr_beam.model.errors import RunError, UsageError
from tests.audio_doubles import sound
from tests.tiny_families import build_wav2vec2

LETTERS = string.ascii_lowercase + "'ä"  # more than the 27 that mean romanised text
TASKS = [
    AlignTask(sound(1.5, 1), "hello world", "en"),
    AlignTask(sound(2.5, 2), "twenty 5 apples, no?", "en"),
    AlignTask(sound(0.8, 3), "ja", "de"),
]


@pytest.fixture(scope="module", params=["layer", "group"])
def aligner(request, tmp_path_factory):
    folder = build_wav2vec2(tmp_path_factory.mktemp("wav2vec2"), LETTERS, norm=request.param)
    return load_aligner("wav2vec2", str(folder), "cpu")


def hear(aligner, frames):
    """Let the model hear these tokens, one per frame of 20 ms, each with a probability of 0.9."""
    size = aligner._model.config.vocab_size
    scores = torch.full((1, len(frames), size), np.log(0.1 / (size - 1)))
    for place, token in enumerate(frames):
        scores[0, place, 0 if token == "_" else aligner._letters.ids.get(token, 4)] = np.log(0.9)
    return lambda values, attention_mask: SimpleNamespace(logits=scores)


def known_task(text, frames, language="en"):
    return AlignTask(np.zeros(len(frames) * 320 + 80, np.int16), text, language)


@pytest.fixture
def heard(aligner, monkeypatch):
    def align(text, frames, language="en"):
        monkeypatch.setattr(aligner, "_model", SimpleNamespace(config=aligner._model.config, __call__=None))
        monkeypatch.setattr(aligner, "_score_frames", lambda tasks: [known(aligner, frames)])
        return aligner.align([known_task(text, frames, language)])[0]

    return align


def known(aligner, frames):
    logits = hear(aligner, frames)(None, None).logits
    return aligner._with_wildcard(logits[0].log_softmax(-1))


def test_known_scores_give_known_times(heard):
    alignment = heard("ab, c!", "__aaab__|__cc____________")
    assert [word.text for word in alignment.words] == ["ab", "c"]
    first, second = alignment.words
    assert first.start_s == pytest.approx(2 * 0.02 + 0.0025)
    assert second.start_s == pytest.approx(11 * 0.02 + 0.0025)
    # An end is the last frame of the last letter and a tail after it, but never beyond the next word.
    assert first.end_s == pytest.approx(6 * 0.02 + 0.0025 + 0.1, abs=1e-6) or first.end_s <= second.start_s
    assert alignment.score == pytest.approx(0.9, abs=0.01)


def test_a_text_that_was_not_said_has_a_low_score(heard):
    assert heard("xy z", "__aaab__|__cc__").score < 0.1


def test_more_letters_than_frames_have_no_times(heard):
    assert heard("abcdefghij", "ab_c") is None


def test_a_word_of_unknown_letters_takes_what_is_heard_and_counts_for_nothing(heard):
    alignment = heard("ab 寿 c", "ab|dd|c_____", "de")
    assert [word.text for word in alignment.words] == ["ab", "寿", "c"]
    assert alignment.words[1].start_s == pytest.approx(3 * 0.02 + 0.0025)
    assert alignment.words[1].confidence == 0.0
    assert alignment.score == pytest.approx(0.9, abs=0.01)


def test_a_text_that_is_mostly_unknown_letters_has_no_times(heard):
    assert heard("寿司 ab", "ab|dd|c_____", "de") is None
    assert heard("", "ab") is None


def test_a_batch_gives_what_each_gives_alone(aligner):
    together = aligner.align(TASKS)
    alone = [aligner.align([task])[0] for task in TASKS]
    for left, right in zip(together, alone, strict=True):
        assert [word.text for word in left.words] == [word.text for word in right.words]
        assert [word.start_s for word in left.words] == pytest.approx([word.start_s for word in right.words])
        assert left.score == pytest.approx(right.score, abs=1e-4)


def test_every_word_has_a_place_in_order_within_the_sound(aligner):
    for task, alignment in zip(TASKS, aligner.align(TASKS), strict=True):
        assert [word.text for word in alignment.words] == split_words(task.text)
        edges = [edge for word in alignment.words for edge in (word.start_s, word.end_s)]
        assert edges == sorted(edges)
        assert edges[0] >= 0 and edges[-1] <= task.duration_s


def test_sound_shorter_than_a_window_has_no_times(aligner):
    assert aligner.align([AlignTask(np.zeros(100, np.int16), "a", "en")]) == [None]


def test_frames_are_counted_as_the_model_counts_them(aligner):
    frames = Frames(aligner._model.config.conv_kernel, aligner._model.config.conv_stride)
    assert (frames.frame_s, frames.offset_s) == (0.02, pytest.approx(0.0025))
    for samples in (400, 719, 720, 16_000, 48_123):
        assert frames.count(samples) == int(aligner._model._get_feat_extract_output_lengths(samples))


def test_the_alphabet_says_whether_texts_are_romanised(tmp_path):
    def letters(vocabulary):
        (tmp_path / "vocab.json").write_text(json.dumps(vocabulary))
        return read_letters(tmp_path / "vocab.json", None)

    mms = letters({"<blank>": 0, "<pad>": 1, "a": 2, "b": 3, "'": 4})
    assert (mms.blank, mms.separator, mms.alphabet.is_romanised) == (0, None, True)
    german = letters({"[PAD]": 7, "|": 0, "a": 1, "ä": 2})
    assert (german.blank, german.separator, german.alphabet.is_romanised) == (7, 0, False)
    with pytest.raises(RunError, match="several vocabularies"):
        letters({"deu": {"a": 1}})
    with pytest.raises(RunError, match="no blank"):
        letters({"a": 1})


def test_an_aligner_with_pickles_only_is_refused(tmp_path):
    build_wav2vec2(tmp_path, LETTERS)
    (tmp_path / "model.safetensors").rename(tmp_path / "pytorch_model.bin")
    with pytest.raises(RunError, match=r"pytorch_model\.bin"):
        load_aligner("wav2vec2", str(tmp_path), "cpu")
    with pytest.raises(UsageError, match="neither a folder nor a hub id"):
        load_aligner("wav2vec2", "./nowhere", "cpu")
    assert isinstance(load_aligner("wav2vec2", str(build_wav2vec2(tmp_path, LETTERS)), "cpu"), Wav2Vec2Aligner)
