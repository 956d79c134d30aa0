import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from funasr_beam.model.guards import (
    Evidence,
    Symptom,
    examine,
    is_hotword_echo,
    longest_gap_s,
    tonality,
    weighted_letters,
)
from funasr_beam.model.records import SAMPLE_RATE, Hypothesis, RecognitionOptions, Token, Word
from tests.model.bad_outputs import LOOPS

PLAIN = RecognitionOptions()
GOOD = "so the invoice from march was paid twice and we would like the second payment back"


def heard(text, *, probability=0.9, finish="stop", words=None):
    tokens = tuple(Token(f"{part} ", float(np.log(probability))) for part in text.split())
    return Hypothesis(text, tokens, finish, words, "ctc" if words else "none")


def spoke(duration_s, *, probability=0.95, tonal=0.5):
    return Evidence(duration_s, ((0.2, duration_s - 0.2),), probability, tonal)


def symptoms(hypothesis, evidence, options=PLAIN):
    return set(examine(hypothesis, evidence, options))


def test_a_good_text_has_no_symptom():
    assert symptoms(heard(GOOD), spoke(6.0)) == set()
    assert symptoms(heard("请问发票什么时候可以寄给我"), spoke(3.2), RecognitionOptions("zh", ("发票",))) == set()


def test_a_single_word_has_no_symptom_though_the_vad_is_not_sure_of_single_words():
    assert symptoms(heard("yes"), spoke(0.7, probability=0.5)) == set()


def test_the_token_budget_is_told():
    assert symptoms(heard(GOOD, finish="length"), spoke(6.0)) == {Symptom.TOKEN_LIMIT}


@pytest.mark.parametrize("name", LOOPS)
def test_loops_are_told_in_every_script(name):
    text = LOOPS[name]
    hypothesis = Hypothesis(text, tuple(Token(char, -0.1) for char in text), "stop")
    expected = Symptom.NO_TEXT if name == "exclamation of half precision" else Symptom.LOOP
    assert expected in examine(hypothesis, spoke(28.0), PLAIN)


@pytest.mark.parametrize(
    ("text", "duration_s"), [(GOOD * 2, 3.0), ("我们上个月的发票为什么付了两次" * 2, 1.9), (GOOD, 1.0)]
)
def test_nobody_speaks_so_fast(text, duration_s):
    assert symptoms(heard(text), spoke(duration_s)) == {Symptom.TOO_FAST}


@pytest.mark.parametrize("text", ["so the invoice", "发票"])
def test_far_too_little_text_for_so_much_speech_is_told(text):
    assert symptoms(heard(text), spoke(12.0)) == {Symptom.TOO_SLOW}
    assert symptoms(heard(text), spoke(2.0)) == set()


def test_a_number_in_digits_is_no_lack_of_text():
    assert symptoms(heard("$125,000"), spoke(4.4)) == set()


def test_silence_in_a_segment_is_no_lack_of_text():
    pauses = Evidence(12.0, ((0.2, 1.4), (10.9, 11.8)), 0.95)
    assert symptoms(heard("so the invoice"), pauses) == set()


def test_a_passage_without_a_word_is_told_where_words_have_times():
    words = (Word("so", 0.3, 0.6, 0.9), Word("invoice", 0.8, 1.2, 0.9), Word("paid", 7.0, 7.5, 0.9))
    hypothesis = heard("so the invoice was paid twice in the end " * 2, words=words)
    assert longest_gap_s(hypothesis, spoke(8.0)) == pytest.approx(5.8)
    assert symptoms(hypothesis, spoke(8.0)) == {Symptom.GAP}
    silent_between = Evidence(8.0, ((0.2, 1.4), (6.9, 7.8)), 0.95)
    assert symptoms(hypothesis, silent_between) == set()


def test_a_text_that_ends_early_leaves_a_gap_at_the_end():
    words = (Word("so", 0.3, 0.6, 0.9), Word("the", 0.6, 0.9, 0.9))
    assert longest_gap_s(heard("so the", words=words), spoke(10.0)) == pytest.approx(8.9)


def test_text_on_tones_is_told_however_sure_the_model_is():
    assert symptoms(heard("Bye.", probability=0.99), spoke(0.6, tonal=0.999)) == {Symptom.NON_SPEECH}


def test_text_of_which_neither_vad_nor_model_is_sure_is_told():
    assert symptoms(heard("the", probability=0.4), spoke(0.6, probability=0.6)) == {Symptom.NON_SPEECH}
    assert symptoms(heard("the", probability=0.9), spoke(0.6, probability=0.6)) == set()
    assert symptoms(heard("the", probability=0.4), spoke(0.6, probability=0.95)) == set()
    assert symptoms(Hypothesis("the", (), "stop"), spoke(0.6, probability=0.6)) == set()  # nobody knows how sure


@pytest.mark.parametrize("text", ["", "。", " ... "])
def test_no_word_is_no_text(text):
    assert symptoms(heard(text), spoke(2.0)) == {Symptom.NO_TEXT}


@pytest.mark.parametrize(
    ("text", "evidence", "is_echo"),
    [
        ("Fun-ASR", spoke(0.6, probability=0.5), True),  # next to silence
        ("Fun-ASR", spoke(1.0), False),  # said
        ("fun asr", spoke(1.0, tonal=0.999), True),
        ("Fun-ASR", spoke(9.0), True),  # said, but much else was as well
        ("Fun-ASR, 开放时间, Beam", spoke(4.0), True),  # the list itself
        ("Beam and Fun-ASR", spoke(2.0), False),
        ("Beam", spoke(0.8), False),
        ("we call it Fun-ASR at our company", spoke(0.9, probability=0.5), False),
        ("", spoke(1.0, probability=0.1), False),
    ],
)
def test_hotwords_without_evidence_are_an_echo(text, evidence, is_echo):
    assert is_hotword_echo(text, ("Fun-ASR", "开放时间", "Beam"), evidence) == is_echo


def test_without_hotwords_nothing_is_an_echo():
    assert not is_hotword_echo("anything", (), spoke(1.0, probability=0.1))
    assert not is_hotword_echo("anything", ("",), spoke(1.0, probability=0.1))


def test_a_syllable_counts_more_than_a_letter():
    assert weighted_letters("it's 5!") == 4
    assert weighted_letters("你好") == weighted_letters("안녕") == 5.0


def tones(*hz, duration_s=0.6, noise=0.0):
    time_s = np.arange(round(duration_s * SAMPLE_RATE)) / SAMPLE_RATE
    mixed = sum(np.sin(2 * np.pi * value * time_s) for value in hz)
    return (3000 * mixed + noise * np.random.default_rng(0).normal(size=len(time_s))).astype(np.int16)


@pytest.mark.parametrize("hz", [(440.0,), (697.0, 1209.0), (440.0, 480.0), (425.0,)])
def test_one_tone_or_two_are_tonal(hz):
    assert tonality(tones(*hz)) > 0.99
    gapped = np.concatenate([tones(*hz, noise=9), np.zeros(5000, np.int16)])
    assert tonality(gapped) > 0.99


def test_noise_and_a_voice_with_harmonics_are_not_tonal():
    assert tonality(tones(3000.0, noise=9000)) < 0.7
    assert tonality(tones(*(180.0 * k for k in range(1, 9)))) < 0.5


@pytest.mark.parametrize("samples", [np.zeros(16_000, np.int16), tones(440.0)[:500], np.zeros(0, np.int16)])
def test_silence_and_snippets_are_not_tonal(samples):
    assert tonality(samples) == 0.0


@given(
    st.text(max_size=60),
    st.floats(0.03, 120.0),
    st.floats(0.0, 1.0),
    st.lists(st.text(max_size=8), max_size=4),
    st.floats(-20.0, 0.0),
)
def test_any_hypothesis_can_be_examined(text, duration_s, probability, hotwords, logprob):
    hypothesis = Hypothesis(text, (Token(text, logprob),), "stop", (), "ctc")
    evidence = Evidence(duration_s, ((0.0, duration_s),), probability)
    assert set(examine(hypothesis, evidence, RecognitionOptions(None, tuple(hotwords)))) <= set(Symptom)


def test_every_symptom_has_a_sentence():
    assert all(symptom.sentence.endswith(".") for symptom in Symptom)
