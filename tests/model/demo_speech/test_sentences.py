"""The sentences: two splits that never share a text, verbatim and over a closed vocabulary."""

import re
from random import Random

import pytest

from funasr_beam.model.demo_speech.english import cardinal as english_cardinal
from funasr_beam.model.demo_speech.mandarin import cardinal as mandarin_cardinal
from funasr_beam.model.demo_speech.sentences import LANGUAGES, Language, sentence, split_of, words_of


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_held_out_text_is_ever_a_training_text(language: Language) -> None:
    random = Random(1)
    train = {sentence(random, language, "train") for _ in range(2000)}
    heldout = {sentence(random, language, "heldout") for _ in range(500)}
    assert not train & heldout
    assert {split_of(text) for text in train} == {"train"}


def test_texts_are_verbatim() -> None:
    random = Random(2)
    for _ in range(1000):
        assert re.fullmatch(r"[a-z]+( [a-z]+)*", sentence(random, "en"))
        assert re.fullmatch(r"[\u4e00-\u9fff]+", sentence(random, "zh"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_vocabulary_is_closed_and_small(language: Language) -> None:
    random = Random(3)
    words = {word for _ in range(5000) for word in words_of(sentence(random, language), language)}
    assert len(words) < 350


@pytest.mark.parametrize("language", LANGUAGES)
def test_there_are_many_different_sentences(language: Language) -> None:
    random = Random(4)
    assert len({sentence(random, language) for _ in range(2000)}) > 1400


@pytest.mark.parametrize(
    ("number", "english", "mandarin"),
    [
        (7, "seven", "七"),
        (10, "ten", "十"),
        (19, "nineteen", "十九"),
        (20, "twenty", "二十"),
        (99, "ninety nine", "九十九"),
        (100, "one hundred", "一百"),
        (105, "one hundred five", "一百零五"),
        (110, "one hundred ten", "一百一十"),
        (1002, "one thousand two", "一千零二"),
        (1020, "one thousand twenty", "一千零二十"),
        (9999, "nine thousand nine hundred ninety nine", "九千九百九十九"),
    ],
)
def test_numbers_in_words(number: int, english: str, mandarin: str) -> None:
    assert english_cardinal(number) == english
    assert mandarin_cardinal(number) == mandarin
