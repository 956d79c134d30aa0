"""Texts in letters: every word keeps exactly one place, in every language that an aligner is asked for."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from funasr_beam.model.aligners.preparation import WILDCARD, Alphabet, prepare
from funasr_beam.model.aligners.spoken import speak_numbers
from funasr_beam.model.text import word_spans

MMS = Alphabet(frozenset("aienoutsrmkldghybpwcvjzf'qx"), is_romanised=True)
ENGLISH = Alphabet(frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ'"))
GERMAN = Alphabet(frozenset("abcdefghijklmnopqrstuvwxyzäöü'"))
KANA = Alphabet(frozenset(chr(code) for code in range(ord("ぁ"), ord("ん") + 1)) | {"ー"})
HAN = Alphabet(frozenset("北京大学有二十五个人"))
SENTENCES = {
    "ar": "مرحبا بالعالم في 2024",
    "bg": "Здравей, свят: имам 25 книги",
    "cs": "Dobrý den, mám 25 korun",
    "da": "Goddag, jeg har 25 kroner på mig",
    "de": "Grüß Gott, die Straße ist 3,5 km lang",
    "el": "Καλημέρα κόσμε, έχω 25 ευρώ",
    "en": "It's 25 past — well-known, isn't it?",
    "es": "¿Cuántos años tienes? Tengo 25",
    "et": "Tere hommikust, mul on 25 eurot",
    "fi": "Hyvää päivää, minulla on 25 euroa",
    "fil": "Magandang umaga, mayroon akong 25 piso",
    "fr": "Ça coûte 25 €, n'est-ce pas ?",
    "ga": "Tá fáilte romhat, tá 25 agam",
    "hi": "नमस्ते दुनिया, मेरे पास 25 रुपये हैं",
    "hr": "Dobar dan, imam 25 kuna",
    "hu": "Jó napot, 25 forintom van",
    "id": "Selamat pagi, saya punya 25 rupiah",
    "it": "Perché no? Ho 25 anni",
    "ja": "今日は東京大学で11時に寿司を食べた。",
    "ko": "안녕하세요, 저는 25살입니다",
    "lt": "Laba diena, turiu 25 eurus",
    "lv": "Labdien, man ir 25 eiro",
    "ms": "Selamat pagi, saya ada 25 ringgit",
    "mt": "Il-ġurnata t-tajba, għandi 25 ewro",
    "nl": "Goedendag, ik heb 25 euro's",
    "pl": "Dzień dobry, mam 25 złotych",
    "pt": "Não há 25 ações à venda",
    "ro": "Bună ziua, am 25 de lei",
    "ru": "Здравствуйте, у меня 25 рублей",
    "sk": "Dobrý deň, mám 25 eur",
    "sl": "Dober dan, imam 25 evrov",
    "sv": "Hej, jag har 25 kronor på mig",
    "th": "สวัสดีครับ ผมมี 25 บาท",
    "vi": "Xin chào, tôi có 25 nghìn đồng",
    "yue": "你好，我有25蚊",
    "zh": "北京大学有25个人，今天很好",
}


def spelled(text, language, alphabet):
    """Words (several as one, where they are one target) -> letters."""
    words = [word.text for word in word_spans(text)]
    return [
        (" ".join(words[item.first : item.last]), "".join(item.letters)) for item in prepare(text, language, alphabet)
    ]


def check_cover(text, language, alphabet):
    targets = prepare(text, language, alphabet)
    assert [item.first for item in targets] == [0, *(item.last for item in targets)][: len(targets)]
    assert (targets[-1].last if targets else 0) == len(word_spans(text))
    for item in targets:
        assert item.letters
        assert set(item.letters) <= {*alphabet.letters, WILDCARD}
    return targets


@pytest.mark.parametrize("language", SENTENCES)
def test_every_word_of_every_language_has_one_place_and_letters_that_the_model_knows(language):
    targets = check_cover(SENTENCES[language], language, MMS)
    known = sum(item.is_known for item in targets)
    assert known >= len(targets) - 1  # at most the number, where nobody says how it is read


def test_numbers_are_spoken_and_accents_and_case_follow_the_alphabet():
    assert spelled("Die Straße: 25 Häuser, Café", "de", GERMAN) == [
        ("Die", "die"),
        ("Straße", "strasse"),
        ("25", "fünfundzwanzig"),
        ("Häuser", "häuser"),
        ("Café", "cafe"),
    ]
    assert spelled("It's naïve", "en", ENGLISH) == [("It's", "IT'S"), ("naïve", "NAIVE")]


def test_kanji_become_kana_and_a_reading_that_belongs_to_several_characters_keeps_them_together():
    assert spelled("今日は食べる。", "ja", KANA) == [
        ("今 日", "きょう"),
        ("は", "は"),
        ("食", "た"),
        ("べ", "べ"),
        ("る", "る"),
    ]
    assert spelled("今日は", "ja", MMS) == [("今 日", "kyou"), ("は", "ha")]


def test_chinese_characters_that_the_model_knows_need_no_reading():
    assert spelled("北京有25个", "zh", HAN) == [
        ("北", "北"),
        ("京", "京"),
        ("有", "有"),
        ("25", "二十五"),
        ("个", "个"),
    ]


def test_numerals_are_romanised_as_they_are_said_and_not_as_digits():
    assert ("25", "ershiwu") in spelled("有25个", "zh", MMS)
    assert spelled("一百", "zh", MMS) == [("一", "yi"), ("百", "bai")]


def test_what_the_alphabet_cannot_write_is_a_wildcard_and_not_a_guess():
    assert spelled("wir essen 寿司", "de", GERMAN)[-2:] == [("寿", WILDCARD), ("司", WILDCARD)]
    assert spelled("имам 25 книги", "bg", MMS)[1] == ("25", WILDCARD)
    assert spelled("3.5%", "en", ENGLISH) == [("3.5%", "THREEPOINTFIVE*")]


def test_a_separator_stands_only_where_there_is_a_space():
    assert [item.is_spaced for item in prepare("ab cd 北京", "zh", MMS)] == [False, True, True]
    assert [item.is_spaced for item in prepare("北 京", "zh", HAN)] == [False, False]


@pytest.mark.parametrize(
    ("written", "language", "said"),
    [
        ("1,250", "en", "one thousand two hundred and fifty"),
        ("1.250", "de", "eintausendzweihundertfünfzig"),
        ("2019", "en", "twenty nineteen"),
        ("12:30", "en", "twelve thirty"),
        ("5551234567", "en", "five five five one two three four five six seven"),
        ("007", "en", "zero zero seven"),
        ("3,5", "fr", "trois virgule cinq"),
        ("25", "ja", "二十五"),
        ("13800138000", "zh", "幺三八零零幺三八零零零"),
        ("٢٥", "ar", "خمسة و عشرون"),
        ("25", "bg", "25"),
        ("word", "en", "word"),
    ],
)
def test_numbers_are_read_as_people_of_the_language_read_them(written, language, said):
    assert speak_numbers(written, language) == said


@settings(max_examples=150)
@given(
    st.text(alphabet=st.characters(codec="utf-8"), max_size=40),
    st.sampled_from([None, *SENTENCES]),
    st.sampled_from([MMS, ENGLISH, GERMAN, KANA, HAN]),
)
def test_whatever_is_written_every_word_keeps_exactly_one_place(text, language, alphabet):
    check_cover(text, language, alphabet)


@settings(max_examples=100)
@given(
    st.lists(st.sampled_from([word for text in SENTENCES.values() for word in text.split()]), max_size=8),
    st.sampled_from(list(SENTENCES)),
)
def test_words_of_mixed_languages_keep_their_places(words, language):
    check_cover(" ".join(words), language, MMS)
    check_cover(" ".join(words), language, KANA)
