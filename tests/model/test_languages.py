import pytest
from hypothesis import given
from hypothesis import strategies as st

from funasr_beam.model.languages import LANGUAGE_CODES, LANGUAGE_NAMES, OTHER_LANGUAGES, language_code


def test_there_are_the_31_languages_of_the_family():
    assert len(LANGUAGE_NAMES) == 31
    assert len(set(LANGUAGE_NAMES.values())) == 31


@pytest.mark.parametrize("code", LANGUAGE_NAMES)
def test_a_code_and_its_chinese_name_mean_the_code(code):
    assert language_code(code) == code
    assert language_code(LANGUAGE_NAMES[code]) == code


@pytest.mark.parametrize(
    ("written", "code"),
    [("zh-CN", "zh"), ("en_US", "en"), (" English ", "en"), ("CHINESE", "zh"), ("cantonese", "yue")],
)
def test_locales_and_english_names_are_understood(written, code):
    assert language_code(written) == code


def test_languages_of_other_families_are_known_by_code_and_name_and_never_twice():
    assert language_code("fr") == language_code("French") == "fr"
    assert not set(OTHER_LANGUAGES) & set(LANGUAGE_NAMES)
    assert len(set(OTHER_LANGUAGES.values())) == len(OTHER_LANGUAGES)


@pytest.mark.parametrize("nothing", [None, "", " ", "auto", "AUTO"])
def test_auto_leaves_the_language_to_the_model(nothing):
    assert language_code(nothing) is None


def test_an_unknown_language_names_the_nearest():
    with pytest.raises(ValueError, match=r'"Portugese": unknown; did you mean .*portuguese \(pt\)'):
        language_code("Portugese")


def test_a_language_that_resembles_nothing_lists_the_codes():
    with pytest.raises(ValueError, match=r"known codes: zh, en, yue"):
        language_code("klingon!")


def test_a_language_of_another_checkpoint_is_refused_with_those_of_this_one():
    with pytest.raises(ValueError, match=r'"ko": not one of this checkpoint\'s: en, ja, zh'):
        language_code("ko", ("zh", "en", "ja"))


@given(st.text())
def test_whatever_is_written_gives_a_known_code_nothing_or_an_explanation(text):
    try:
        code = language_code(text)
    except ValueError as error:
        assert "unknown" in str(error)
    else:
        assert code is None or code in LANGUAGE_CODES
