"""Words of alphabetic scripts, characters of Chinese and Japanese, and no punctuation."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from funasr_beam.model.text import is_cjk, word_spans


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("  ,。!? ", []),
        ("Hello, world!", ["Hello", "world"]),
        ("iPhone手机", ["iPhone", "手", "机"]),
        ("我用iPhone 15打电话。", ["我", "用", "iPhone", "15", "打", "电", "话"]),
        ("it's well-known, isn't it?", ["it's", "well-known", "isn't", "it"]),
        ("$25 is 3.5% of 1,000 at 10:30", ["$25", "is", "3.5%", "of", "1,000", "at", "10:30"]),
        ("one, two,three", ["one", "two", "three"]),
        ("mail me@example.com.", ["mail", "me@example.com"]),
        ("コーヒーを二杯", ["コ", "ー", "ヒ", "ー", "を", "二", "杯"]),
        ("「東京」・京都", ["東", "京", "京", "都"]),
        ("안녕하세요 여러분", ["안녕하세요", "여러분"]),
        ("नमस्ते दुनिया", ["नमस्ते", "दुनिया"]),
        ("مَرْحَبًا بكم", ["مَرْحَبًا", "بكم"]),
        ("naïve cafe\u0301 Zürich", ["naïve", "cafe\u0301", "Zürich"]),
        ("'quoted' (words) - dash", ["quoted", "words", "dash"]),
    ],
)
def test_words_are(text, words):
    assert [word.text for word in word_spans(text)] == words


@given(st.text())
def test_words_stand_where_they_say_and_hold_every_letter_and_digit(text):
    spans = word_spans(text)
    assert all(text[span.start : span.end] == span.text for span in spans)
    assert all(left.end <= right.start for left, right in itertools.pairwise(spans))
    covered = {place for span in spans for place in range(span.start, span.end)}
    assert all(place in covered for place, char in enumerate(text) if char.isalnum())


def test_scripts_without_spaces_are_told_apart():
    assert is_cjk("手") and is_cjk("ー") and is_cjk("ひ")
    assert not is_cjk("phone") and not is_cjk("한국") and not is_cjk("25") and not is_cjk("")
