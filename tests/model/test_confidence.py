import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from funasr_beam.model.confidence import segment_confidence, weigh_words, word_confidences
from funasr_beam.model.records import Hypothesis, Token, Word
from funasr_beam.model.text import word_spans


def tokens(*pairs):
    return tuple(Token(text, math.log(probability)) for text, probability in pairs)


def test_a_segment_is_as_sure_as_the_geometric_mean_of_its_tokens():
    assert segment_confidence(tokens(("a", 0.9), ("b", 0.4))) == pytest.approx(0.6)
    assert segment_confidence(()) is None


@pytest.mark.parametrize(
    ("text", "written", "confidences"),
    [
        ("hello world", (("hel", 0.9), ("lo", 0.5), (" world", 0.8)), [0.5, 0.8]),
        ("你好吗", (("你好", 0.9), ("吗", 0.7)), [0.9, 0.9, 0.7]),
        ("你好", (("你", 0.9), ("\ufffd", 0.5), ("\ufffd", 0.6)), [0.9, 0.5]),
        ("好你", (("\ufffd", 0.5), ("\ufffd", 0.6), ("你", 0.9)), [0.5, 0.9]),
        ("hello, world.", (("hello", 0.9), (",", 0.1), (" world.", 0.8)), [0.9, 0.8]),
        ("one two", (("one", 0.9), ("/sil", 0.2), ("two", 0.8)), [0.9, 0.8]),
        ("one two", (("<|im_start|>", 0.2), ("one", 0.9), (" ", 0.1), (" two", 0.8)), [0.9, 0.8]),
        ("", (), []),
    ],
)
def test_a_word_is_as_sure_as_its_least_likely_token(text, written, confidences):
    assert word_confidences(text, tokens(*written)) == pytest.approx(confidences)


@pytest.mark.parametrize("written", [(), (("goodbye", 0.9),), (("hello", 0.9),)])
def test_tokens_that_do_not_spell_the_text_say_nothing(written):
    assert word_confidences("hello world", tokens(*written)) is None


@given(st.text("ab 你好é。,", max_size=30), st.integers(1, 5), st.lists(st.floats(0.01, 1.0), min_size=30, max_size=30))
def test_every_word_has_a_probability_however_the_text_is_cut_into_tokens(text, size, probabilities):
    text = " ".join(text.split())
    pieces = [text[place : place + size] for place in range(0, len(text), size)]
    found = word_confidences(text, tokens(*zip(pieces, probabilities, strict=False)))
    assert len(found) == len(word_spans(text))
    assert all(0.01 - 1e-9 <= value <= 1.0 for value in found)


def test_sound_and_tokens_count_alike_for_a_timed_word():
    words = (Word("hello", 0.1, 0.5, 0.9), Word("world", 0.5, 0.9, 0.4))
    hypothesis = Hypothesis("hello world", tokens(("hello", 0.4), (" world", 0.9)), "stop", words, "ctc")
    assert [word.confidence for word in weigh_words(hypothesis)] == pytest.approx([0.6, 0.6])
    assert [(word.text, word.start_s) for word in weigh_words(hypothesis)] == [("hello", 0.1), ("world", 0.5)]


def test_words_without_fitting_tokens_keep_what_the_sound_says():
    words = (Word("hello", 0.1, 0.5, 0.9),)
    assert weigh_words(Hypothesis("hello", tokens(("bye", 0.4)), "stop", words, "ctc")) == words
    assert weigh_words(Hypothesis("hello", tokens(("hello", 0.4)), "stop")) is None
