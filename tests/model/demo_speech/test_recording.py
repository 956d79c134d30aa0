"""Rendered recordings: deterministic, and with word times that the sound agrees with."""

from pathlib import Path

import numpy as np
import pytest

from funasr_beam.model.demo_speech.channel import PHONE, SAMPLE_RATE
from funasr_beam.model.demo_speech.espeak import EspeakError, Voice, speak
from funasr_beam.model.demo_speech.recording import Recipe, render, say_text
from funasr_beam.model.demo_speech.sentences import LANGUAGES, Language, split_of, words_of

pytestmark = pytest.mark.usefixtures("espeak")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_same_recipe_and_seed_give_the_same_recording(language: Language) -> None:
    recipe = Recipe(language=language, speakers=2, channel=PHONE)
    first, second, other = render(recipe, 5), render(recipe, 5), render(recipe, 6)
    assert np.array_equal(first.samples, second.samples)
    assert first.words == second.words
    assert first.text != other.text


def test_the_synthesiser_leaves_no_thread_behind_when_it_is_loaded_afresh() -> None:
    """One that is left runs on in code that is not in memory any more: a crash, some time."""

    def threads() -> int:
        return len(list(Path("/proc/self/task").iterdir()))

    recipe = Recipe(sentences=1)
    render(recipe, 1)
    before = threads()
    for seed in range(5):
        render(recipe, seed)
    assert threads() <= before


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_word_of_the_text_has_a_time_in_order(language: Language) -> None:
    recording = render(Recipe(language=language, sentences=5), 1)
    assert [word.word for word in recording.words] == words_of(recording.text, language)
    edges = [time for word in recording.words for time in (word.start_s, word.end_s)]
    assert edges == sorted(edges)
    assert edges[0] >= 0
    assert edges[-1] <= recording.duration_s


@pytest.mark.parametrize("language", LANGUAGES)
def test_sentences_sound_between_their_first_and_last_word_and_nowhere_else(language: Language) -> None:
    recording = render(Recipe(language=language, sentences=3, pause_s=(0.5, 0.9)), 3)
    spoken = np.zeros(len(recording.samples), dtype=bool)
    for turn in recording.turns:
        first, last = turn.words[0].start_s - 0.05, turn.words[-1].end_s + 0.05
        spoken[round(first * SAMPLE_RATE) : round(last * SAMPLE_RATE)] = True
        middle = recording.samples[
            round(turn.words[0].start_s * SAMPLE_RATE) : round(turn.words[-1].end_s * SAMPLE_RATE)
        ]
        assert np.abs(middle).max() > 0.05
    assert np.abs(recording.samples[~spoken]).max() < 0.02


def test_stereo_puts_each_speaker_on_a_channel() -> None:
    recording = render(Recipe(sentences=6, speakers=2, stereo=True), 2)
    assert recording.samples.shape[1] == 2
    for turn in recording.turns:
        part = recording.samples[round(turn.words[0].start_s * 16000) : round(turn.words[-1].end_s * 16000)]
        assert np.abs(part[:, turn.speaker]).max() > 0.05
        assert np.abs(part[:, 1 - turn.speaker]).max() < 0.01


def test_held_out_recordings_say_held_out_sentences() -> None:
    assert {split_of(turn.text) for turn in render(Recipe(split="heldout"), 8).turns} == {"heldout"}


def test_a_length_is_not_exceeded() -> None:
    assert render(Recipe(sentences=50, longest_s=15.0, edge_s=(0.1, 0.3)), 4).duration_s <= 15.5


def test_words_that_espeak_marks_together_share_their_time() -> None:
    spans = speak("the number of the order is in the account", Voice("en-us+m1")).spans
    assert len(spans) == 9
    assert all(start < end for start, end in spans)


def test_a_given_text_is_spoken_in_mandarin() -> None:
    samples, turn = say_text("您好请稍等", "zh", Voice("cmn-latn-pinyin+f2"))
    assert [word.word for word in turn.words] == list("您好请稍等")
    assert len(samples) > SAMPLE_RATE // 2


def test_an_unknown_voice_is_an_error() -> None:
    with pytest.raises(EspeakError, match="no voice"):
        speak("hello", Voice("xx-nowhere"))


def test_stereo_needs_two_speakers() -> None:
    with pytest.raises(ValueError, match="speakers = 2"):
        Recipe(stereo=True)
