"""Normalisers: what counts, in every script."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from funasr_beam.model.evaluation.normalizers import NORMALIZERS, normalizer_for


@pytest.mark.parametrize("name", NORMALIZERS)
@given(text=st.text())
@settings(deadline=None, max_examples=200)
def test_normalising_twice_is_normalising_once(name, text):
    once = NORMALIZERS[name](text)
    assert NORMALIZERS[name](once) == once


@pytest.mark.parametrize(
    "text", ["नमस्ते दुनिया", "สวัสดีครับ", "مَرحبًا", "বাংলা", "தமிழ்", "tiếng việt", "ñandú über", "한국어", "がぎぐ"]
)
def test_words_with_combining_marks_stay_whole(text):
    import unicodedata

    assert NORMALIZERS["multilingual-1"](text) == unicodedata.normalize("NFKC", text)
    assert NORMALIZERS["multilingual-1"](unicodedata.normalize("NFD", text)) == unicodedata.normalize("NFKC", text)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("multilingual-1", "It’s “fine” – O'Brien's 'quote', twenty-one.", "it's fine o'brien's quote twenty one"),
        ("multilingual-1", "3.5% of $1,250.00 costs €2, no. 5.", "3.5% of $1250.00 costs €2 no 5"),
        ("multilingual-1", "<unk> Ja [noise] nein", "ja nein"),
        ("multilingual-1", "می‌خواهم كتـــاب", "میخواهم كتاب"),
        ("english-1", "Uhm, we're sure they won't; it ain't so, mhm.", "we are sure they will not it is not so"),
        ("english-1", "Naïve Zoë — हिन्दी", "naive zoe हिन्दी"),
        ("chinese-1", "我 有 一 部 iPhone 15 手机。", "我有一部 iphone 15 手机"),
        ("chinese-1", "二〇二五年ＡＢＣ", "二零二五年abc"),
        ("none-1", " As It  is. ", "As It is."),
    ],
)
def test_what_counts(name, text, expected):
    assert NORMALIZERS[name](text) == expected


def test_a_language_has_its_normaliser_and_all_others_the_multilingual_one():
    assert [normalizer_for(code) for code in ("en", "zh", "yue", "hi", None)] == [
        "english-1",
        "chinese-1",
        "chinese-1",
        "multilingual-1",
        "multilingual-1",
    ]
