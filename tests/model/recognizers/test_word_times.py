import shutil
from itertools import pairwise

import pytest
import torch

from funasr_beam.model.checkpoint import resolve
from funasr_beam.model.ctc_head import CtcHead, CtcHeadConfig
from funasr_beam.model.errors import RunError
from funasr_beam.model.recognizers.base import RecognizerSettings, Utterance
from funasr_beam.model.recognizers.fun_asr_nano import FunAsrNanoRecognizer
from funasr_beam.model.recognizers.word_times import WordTimer
from tests.audio_doubles import mixed_utterances, sound
from tests.tiny_checkpoint import Dimensions, build_tokenizer

SIZES = Dimensions()
CONFIG = CtcHeadConfig(SIZES.encoder, SIZES.vocabulary, SIZES.vocabulary, hidden_size=32, trained=True)


class KnownHead:
    """A head whose scores are there already, in the place of what they are made of."""

    config = CONFIG

    def score(self, decoded, tokens):
        return decoded[:, tokens]


def timed(timer, log_probs, text, duration_s=60.0):
    (words,) = timer.time_words([log_probs], [text], [duration_s])
    return words


@pytest.fixture(scope="module")
def tokenizer():
    return build_tokenizer(SIZES.vocabulary)


@pytest.fixture(scope="module")
def timer(tokenizer):
    return WordTimer(KnownHead(), tokenizer)


@pytest.fixture
def with_head(tiny_checkpoint, tmp_path):
    """A checkpoint with a head of random weights that says it was trained."""
    folder = shutil.copytree(tiny_checkpoint, tmp_path / "with-head")
    torch.manual_seed(0)
    CtcHead(CONFIG).save(folder)
    return folder


def load(folder):
    settings = RecognizerSettings(device="cpu", base_tokens=2, tokens_per_s=2)
    return FunAsrNanoRecognizer.load(resolve(str(folder)), settings)


def spoken(tokenizer, text, at):
    """Frames that say each token of the text at the frames given, and blank otherwise; (frames, tokens + 1)."""
    scores = torch.full((at[-1] + 10, SIZES.vocabulary + 1), -20.0)
    scores[:, CONFIG.blank_id] = -0.01
    for token, frame in zip(tokenizer(text)["input_ids"], at, strict=True):
        scores[frame, token] = 0.0
        scores[frame, CONFIG.blank_id] = -20.0
    return scores


@pytest.mark.parametrize("text", ["quick brown fox", "开 放", "the quick, brown fox.", "quick开fox"])
def test_words_get_the_frames_in_which_their_tokens_were_spoken(timer, tokenizer, text):
    at = [3 + 4 * n for n in range(len(tokenizer(text)["input_ids"]))]
    words = timed(timer, spoken(tokenizer, text, at), text)
    assert "".join(word.text for word in words) == "".join(character for character in text if character not in " ,.")
    assert words[0].start_s == pytest.approx(3 * 0.06)
    assert all(before.end_s <= after.start_s for before, after in pairwise(words))
    assert all(word.confidence == pytest.approx(1.0) for word in words)


def test_a_text_that_was_not_said_has_little_confidence(timer, tokenizer):
    scores = spoken(
        tokenizer, "quick brown fox", [3 + n for n in range(len(tokenizer("quick brown fox")["input_ids"]))]
    )
    words = timed(timer, scores, "lazy dog")
    assert max(word.confidence for word in words) < 0.01


@pytest.mark.parametrize("text", ["", "...", "the quick brown fox jumps over the lazy dog"])
def test_a_text_that_cannot_be_aligned_has_no_times(timer, text):
    scores = torch.zeros(3, SIZES.vocabulary + 1).log_softmax(-1)
    assert timed(timer, scores, text, 0.2) is None


def test_words_that_share_a_token_have_one_time_together(timer, tokenizer):
    assert len(tokenizer("语音转写")["input_ids"]) == 1
    scores = spoken(tokenizer, "语音转写 fox", [3, 9, 12, 15][: 1 + len(tokenizer(" fox")["input_ids"])])
    words = timed(timer, scores, "语音转写 fox")
    assert [word.text for word in words] == ["语音转写", "fox"]
    assert words[0].start_s == pytest.approx(3 * 0.06)


def test_tokens_that_the_head_does_not_know_have_no_times(tokenizer):
    small = WordTimer(CtcHead(CtcHeadConfig(SIZES.encoder, 100, 100, hidden_size=32, trained=True)), tokenizer)
    assert timed(small, torch.zeros(50, 32), "quick", 3.0) is None


def test_a_checkpoint_with_a_head_times_what_it_recognised_verbatim(with_head):
    recognizer = load(with_head)
    assert recognizer.has_word_times
    for utterance in mixed_utterances(12):
        hypothesis = recognizer.recognize([utterance])[0]
        assert (hypothesis.timestamp_source == "ctc") == (hypothesis.words is not None)
        assert hypothesis.words is None or not utterance.itn
        for word in hypothesis.words or ():
            assert 0 <= word.start_s < word.end_s <= utterance.duration_s
            assert 0 <= word.confidence <= 1


def test_scores_of_some_tokens_are_those_of_the_whole_head(tokenizer):
    torch.manual_seed(0)
    head = CtcHead(CONFIG)
    encoded = [torch.randn(frames, SIZES.encoder) for frames in (5, 12)]
    tokens = [3, CONFIG.blank_id, 77]
    for item, frames in zip(encoded, WordTimer(head, tokenizer).decode_frames(encoded), strict=True):
        whole = head(item[None], torch.ones(1, len(item)))[0]
        torch.testing.assert_close(head.score(frames, torch.tensor(tokens)), whole[:, tokens], atol=1e-5, rtol=0)


def test_texts_at_once_get_the_times_that_each_gets_alone(timer, tokenizer):
    texts = ["quick brown fox", "", "lazy dog", "...", "开 放"]
    scores = [
        spoken(tokenizer, text or "fox", [3 + 4 * n for n in range(len(tokenizer(text or "fox")["input_ids"]))])
        for text in texts
    ]
    alone = [timed(timer, log_probs, text) for log_probs, text in zip(scores, texts, strict=True)]
    assert timer.time_words(scores, texts, [60.0] * len(texts)) == alone
    assert [words is None for words in alone] == [False, True, False, True, False]


def test_however_many_words_there_are_a_gpu_is_waited_for_once(timer, tokenizer, monkeypatch):
    copies, cpu = [], torch.Tensor.cpu
    monkeypatch.setattr(torch.Tensor, "cpu", lambda tensor: copies.append(tensor.numel()) or cpu(tensor))
    texts = ["quick brown fox", "lazy dog"] * 8
    scores = [spoken(tokenizer, text, [3 + 4 * n for n in range(len(tokenizer(text)["input_ids"]))]) for text in texts]
    assert all(timer.time_words(scores, texts, [60.0] * len(texts)))
    assert len(copies) == 1


def test_times_do_not_depend_on_the_batch(with_head):
    recognizer = load(with_head)
    utterances = [Utterance(sound(0.5 + seed / 10, seed)) for seed in range(32)]
    together = recognizer.recognize(utterances)
    alone = [recognizer.recognize([utterance])[0] for utterance in utterances]
    times = [[(w.text, w.start_s, w.end_s) for w in item.words or ()] for item in together]
    assert times == [[(w.text, w.start_s, w.end_s) for w in item.words or ()] for item in alone]
    assert any(times)


def test_an_untrained_head_is_refused_because_its_times_would_be_invented(with_head):
    path = with_head / "ctc_head.json"
    path.write_text(path.read_text().replace('"trained": true', '"trained": false'))
    with pytest.raises(RunError, match="invented"):
        load(with_head)


@pytest.mark.parametrize("name", ["multilingual.tiktoken", "../ctc_tokenizer.json"])
def test_a_head_whose_tokens_are_not_there_is_refused(with_head, name):
    path = with_head / "ctc_head.json"
    path.write_text(path.read_text().replace('"own"', f'"{name}"'))
    with pytest.raises(RunError, match="convert again"):
        load(with_head)


@pytest.mark.parametrize("content", ["{", "{}"])
def test_a_head_with_damaged_tokens_is_a_message(with_head, content):
    (with_head / "ctc_tokenizer.json").write_text(content)
    path = with_head / "ctc_head.json"
    path.write_text(path.read_text().replace('"own"', '"ctc_tokenizer.json"'))
    with pytest.raises(RunError, match=r"ctc_tokenizer\.json"):
        load(with_head)


def test_a_head_may_have_tokens_of_its_own(with_head, tokenizer):
    tokenizer.backend_tokenizer.save(str(with_head / "ctc_tokenizer.json"))
    path = with_head / "ctc_head.json"
    path.write_text(path.read_text().replace('"own"', '"ctc_tokenizer.json"'))
    recognizer = load(with_head)
    assert any(recognizer.recognize([utterance])[0].words for utterance in mixed_utterances(12))
