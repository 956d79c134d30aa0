"""The checkpoint that ships with the project really transcribes, offline, on a CPU."""

import functools
from statistics import median

import numpy as np
import pytest

from funasr_beam.model.batching import BatchLimits, recognize_all
from funasr_beam.model.checkpoint import DEMO_FOLDER, describe, resolve
from funasr_beam.model.recognizers.base import RecognizerSettings, Utterance
from funasr_beam.model.recognizers.families import load_recognizer
from funasr_beam.model.recognizers.fun_asr_nano import FunAsrNanoRecognizer
from funasr_beam.model.recognizers.own_process.owner import OwnProcessRecognizer
from funasr_beam.model.records import RecognitionOptions
from funasr_beam.model.stage_clock import ENCODER
from funasr_beam.model.training.evaluate import units

pytestmark = pytest.mark.skipif(not DEMO_FOLDER.is_dir(), reason="the demo checkpoint has not been trained yet")


@pytest.fixture(scope="module")
def recordings(espeak):
    """Sentences and voices that training never met."""
    render = pytest.importorskip("funasr_beam.model.demo_speech.recording")
    recipes = [render.Recipe(language, "heldout", longest_s=8.0, edge_s=(0.1, 0.3)) for language in ("en", "zh")]
    return [render.render(recipes[seed % 2], seed) for seed in range(24)]


@pytest.fixture(scope="module")
def utterances(recordings):
    return [
        Utterance(np.round(item.samples * 32767).astype(np.int16), RecognitionOptions(item.language))
        for item in recordings
    ]


@pytest.fixture(scope="module")
def recognizer():
    return FunAsrNanoRecognizer.load(resolve("demo"), RecognizerSettings(device="cpu"))


@pytest.fixture(scope="module")
def hypotheses(recognizer, utterances):
    return recognize_all(recognizer, utterances, BatchLimits())


@pytest.fixture(scope="module")
def lowered_hypotheses(utterances):
    """With encoder and language model in bfloat16."""
    settings = RecognizerSettings(device="cpu", encoder_precision="bfloat16", llm_precision="bfloat16")
    return recognize_all(FunAsrNanoRecognizer.load(resolve("demo"), settings), utterances, BatchLimits())


def test_in_a_process_of_its_own_it_hears_the_same(recognizer, utterances, hypotheses):
    settings = RecognizerSettings(device="cpu")
    apart = OwnProcessRecognizer(functools.partial(load_recognizer, "demo", settings), settings.clock, "cpu")
    try:
        assert recognize_all(apart, utterances, BatchLimits()) == hypotheses
        assert (apart.describe(), apart.batch_limits) == (recognizer.describe(), recognizer.batch_limits)
        assert settings.clock.read()[ENCODER].count >= 1
    finally:
        apart.close()


def test_it_declares_what_it_is():
    info = describe(resolve("demo"))
    assert info.longest_segment_s >= 10
    assert set(info.languages) == {"en", "zh"}


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("heard", ["hypotheses", "lowered_hypotheses"])
def test_it_transcribes_voices_and_sentences_that_it_never_heard(recordings, heard, language, request):
    jiwer = pytest.importorskip("jiwer")
    hypotheses = request.getfixturevalue(heard)
    own = [
        (units(item.text, language), units(hypothesis.text, language))
        for item, hypothesis in zip(recordings, hypotheses, strict=True)
        if item.language == language
    ]
    # A floor for a dozen utterances, so that a broken pipeline shows; the figures of the model card are of hundreds.
    assert jiwer.wer([" ".join(wanted) for wanted, _ in own], [" ".join(got) for _, got in own]) < 0.15


def test_it_knows_when_each_word_was_said(recordings, hypotheses):
    errors = []
    for item, hypothesis in zip(recordings, hypotheses, strict=True):
        assert hypothesis.timestamp_source == "ctc"
        if [word.text for word in hypothesis.words] == [word.word for word in item.words]:
            pairs = zip(item.words, hypothesis.words, strict=True)
            errors += [abs(known.start_s - found.start_s) for known, found in pairs]
    assert len(errors) > 50
    assert median(errors) < 0.08


def test_the_batch_does_not_change_its_texts(recognizer, utterances, hypotheses):
    alone = [recognizer.recognize([utterance])[0] for utterance in utterances]
    assert [item.text for item in alone] == [item.text for item in hypotheses]


def test_bfloat16_changes_few_of_its_texts_and_does_change_its_scores(hypotheses, lowered_hypotheses):
    pairs = list(zip(hypotheses, lowered_hypotheses, strict=True))
    assert sum(plain.text == lowered.text for plain, lowered in pairs) >= 0.9 * len(pairs)
    assert all(plain.tokens != lowered.tokens for plain, lowered in pairs)


def test_it_ends_by_itself(hypotheses):
    assert {hypothesis.finish_reason for hypothesis in hypotheses} == {"stop"}
