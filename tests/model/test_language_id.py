import pytest

from benchmarks.language_id import accuracy, read_sentences
from funasr_beam.model.language_id import MIN_SCORE, LanguageDetector, SpokenLanguage
from funasr_beam.model.languages import LANGUAGE_NAMES
from funasr_beam.model.records import Hypothesis


@pytest.fixture(scope="module")
def detector():
    return LanguageDetector(tuple(LANGUAGE_NAMES))


@pytest.fixture(scope="module")
def scores(detector):
    return accuracy(lambda text: (detector.detect(text).code, detector.detect(text).score), read_sentences())


@pytest.mark.parametrize(("words", "right", "named"), [("2", 96, 70), ("4", 99, 90), ("all", 99, 95)])
def test_what_is_named_is_right_in_31_languages(scores, words, right, named):
    assert scores[words].right_of_named >= right
    assert scores[words].named >= named


def test_every_language_of_the_family_can_be_named(detector):
    sentences = read_sentences()
    assert set(sentences) == set(LANGUAGE_NAMES)
    for code, lines in sentences.items():
        assert detector.detect(" ".join(lines)).code == code


@pytest.mark.parametrize("text", ["", "7", "ok", "12:30", "。", "!?", "no"])
def test_too_little_text_is_not_guessed(detector, text):
    found = detector.detect(text)
    assert (found.code, found.source) == (None, "undetermined")
    assert 0 <= found.score < MIN_SCORE


def test_case_digits_and_punctuation_change_nothing(detector):
    plain = detector.detect("jeg vil gerne flytte min aftale til tirsdag")
    assert plain.code == "da"
    assert detector.detect("Jeg vil gerne, flytte min aftale - til tirsdag 17!").code == "da"


def test_only_what_the_checkpoint_knows_is_named():
    assert LanguageDetector(("en", "zh")).detect("jeg vil gerne flytte min aftale").code in ("en", "zh", None)
    assert LanguageDetector(("en", "no such code")).detect("could you tell me when").code == "en"


def test_a_told_language_stands_then_that_of_the_model_then_that_of_the_text(detector):
    danish = Hypothesis("jeg vil gerne flytte min aftale", (), "stop")
    named = Hypothesis("jeg vil gerne flytte min aftale", (), "stop", language="sv")
    assert detector.name(danish, "nl") == SpokenLanguage("nl", "told")
    assert detector.name(named, None) == SpokenLanguage("sv", "model")
    assert detector.name(danish, None).source == "detected"
    assert detector.name(Hypothesis("", (), "stop"), None) == SpokenLanguage()
