import random
from dataclasses import replace

import numpy as np
import pytest
import torch

from funasr_beam.model.batching import FEW_BATCHES_S, BatchLimits
from funasr_beam.model.errors import Cause
from funasr_beam.model.recognizers.base import RecognizerSettings, Utterance
from funasr_beam.model.recognizers.families import load_recognizer
from funasr_beam.model.records import Failure, Hypothesis, RecognitionOptions
from funasr_beam.model.retries import GuardInput, recognize_guarded
from tests.audio_doubles import mixed_utterances
from tests.recognizer_doubles import (
    HANZI,
    PAUSE_S,
    WORD_S,
    WORDS,
    Reader,
    breaks_off_above,
    echoes_hotwords,
    fails_below,
    loops_above,
    spoken,
    without_times,
)

LIMITS = BatchLimits(batch_cost_s=FEW_BATCHES_S)
HINTS = RecognitionOptions("en", ("Fun-ASR", "berlin"), "a call to the bank")


def guard_input(words, options=HINTS, probability=0.95):
    samples = spoken(words)
    step_s = WORD_S + PAUSE_S
    speech = tuple((place * step_s, place * step_s + WORD_S) for place in range(len(words)))
    return GuardInput(Utterance(samples, options), speech, probability)


def run(recognizer, *inputs):
    return recognize_guarded(recognizer, inputs, LIMITS)


def text_of(words):
    return ("" if words[0] in HANZI else " ").join(words)


def test_a_good_text_is_recognised_once_and_has_no_flag():
    reader = Reader()
    (result,) = run(reader, guard_input(WORDS[:20]))
    assert (result.outcome.text, result.flags, result.attempts) == (text_of(WORDS[:20]), (), 1)
    assert len(reader.calls) == 1


@pytest.mark.parametrize("words", [WORDS[:40], list(HANZI[:40])])
@pytest.mark.parametrize("longest_s", [6.0, 16.0])
def test_a_loop_is_repaired_by_halves_with_the_times_of_the_whole(words, longest_s):
    (result,) = run(Reader(loops_above(longest_s)), guard_input(words))
    assert result.outcome.text == text_of(words)
    assert set(result.flags) == {"token_limit_repaired", "loop_repaired"} | ({"too_fast_repaired"} & set(result.flags))
    assert result.attempts > 1
    starts = [word.start_s for word in result.outcome.words]
    np.testing.assert_allclose(starts, [place * (WORD_S + PAUSE_S) for place in range(len(words))], atol=1e-6)
    assert result.outcome.timestamp_source == "ctc"


def test_a_text_that_breaks_off_is_repaired():
    (result,) = run(Reader(breaks_off_above(12.0)), guard_input(WORDS[:40]))
    assert (result.outcome.text, result.flags) == (text_of(WORDS[:40]), ("gap_repaired",))


def test_a_text_that_breaks_off_is_seen_without_word_times_where_little_is_left():
    (result,) = run(Reader(without_times(breaks_off_above(12.0, kept=0.1))), guard_input(WORDS[:40]))
    assert (result.outcome.text, result.flags) == (text_of(WORDS[:40]), ("too_slow_repaired",))
    assert (result.outcome.words, result.outcome.timestamp_source) == (None, "none")


def test_what_no_attempt_repairs_keeps_its_text_and_its_flags():
    first = Reader(loops_above(0.0)).recognize([guard_input(WORDS[:40]).utterance])[0]
    (result,) = run(Reader(loops_above(0.0)), guard_input(WORDS[:40]))
    assert result.outcome == first
    assert {"token_limit", "loop"} <= set(result.flags)
    assert not any(flag.endswith("_repaired") for flag in result.flags)
    assert result.attempts == 4


def test_the_good_half_is_kept_where_the_other_stays_bad():
    def defect(utterance, right):
        return loops_above(0.0)(utterance, right) if "berlin" in right.text else right

    (result,) = run(Reader(defect), guard_input(WORDS))
    assert result.outcome.text.startswith(text_of(WORDS[: len(WORDS) // 2]))
    assert "loop" in result.flags


def test_hints_that_do_harm_are_left_out_in_the_end():
    reader = Reader(loops_above(1.5, hints_only=True))
    (result,) = run(reader, guard_input(WORDS[:16]))
    assert result.outcome.text == text_of(WORDS[:16])
    assert reader.calls[-1][0].options == RecognitionOptions("en")


def test_a_hotword_in_silence_is_recognised_again_without_hotwords():
    silence = GuardInput(Utterance(np.zeros(16_000, np.int16), HINTS), ((0.3, 0.6),), 0.6)
    reader = Reader(echoes_hotwords)
    (result,) = run(reader, silence)
    assert (result.outcome.text, result.flags) == ("", ("no_text", "hotword_echo_repaired"))
    assert [len(call) for call in reader.calls] == [1, 1]


def test_a_hotword_that_was_said_stays():
    (result,) = run(Reader(echoes_hotwords), guard_input(["berlin"]))
    assert (result.outcome.text, result.flags) == ("berlin", ())


def test_text_on_tones_is_flagged_and_kept():
    time_s = np.arange(9600) / 16_000
    beep = (4000 * np.sin(2 * np.pi * 440 * time_s)).astype(np.int16)

    def hallucinate(_, right):
        return replace(right, text="Thank you.")

    (result,) = run(Reader(hallucinate), GuardInput(Utterance(beep), ((0.1, 0.3),), 0.6))
    assert (result.outcome.text, result.flags, result.attempts) == ("Thank you.", ("non_speech",), 1)


def test_speech_without_text_is_listened_to_again():
    def deaf_above(utterance, right):
        return right if utterance.duration_s < 6 else replace(right, text="", tokens=(), words=())

    (result,) = run(Reader(deaf_above), guard_input(WORDS[:20]))
    assert (result.outcome.text, result.flags) == (text_of(WORDS[:20]), ("no_text_repaired",))


def test_a_failing_attempt_leaves_what_there_was():
    looping = loops_above(4.0)
    (result,) = run(Reader(fails_below(6.0, looping)), guard_input(WORDS[:20]))
    assert result.outcome.finish_reason == "length"
    assert "loop" in result.flags
    (failed,) = run(Reader(fails_below(60.0, looping)), guard_input(WORDS[:20]))
    assert isinstance(failed.outcome, Failure)
    assert (failed.flags, failed.attempts) == ((), 1)


def test_batch_mates_change_nothing_and_bad_ones_are_tried_again_together():
    rng = random.Random(4)
    inputs = [guard_input(rng.sample(WORDS, 12)[: rng.randint(1, 12)] * rng.randint(1, 4)) for _ in range(24)]
    alone = [run(Reader(loops_above(5.0)), item)[0] for item in inputs]
    reader = Reader(loops_above(5.0))
    assert run(reader, *inputs) == alone
    assert len({item.attempts for item in alone}) > 2
    assert len(reader.calls) <= 8
    assert run(Reader(loops_above(5.0)), *inputs[::-1]) == alone[::-1]


def test_a_real_model_that_does_not_end_is_flagged(tiny_checkpoint):
    recognizer = load_recognizer(str(tiny_checkpoint), RecognizerSettings(device="cpu"))
    inputs = [GuardInput(utterance, None, None) for utterance in mixed_utterances(12)]
    endless = [item.finish_reason == "length" for item in recognizer.recognize([item.utterance for item in inputs])]
    results = recognize_guarded(recognizer, inputs, LIMITS)
    assert any(endless)
    for was_endless, result in zip(endless, results, strict=True):
        assert not was_endless or any(flag.startswith("token_limit") for flag in result.flags)


def test_nothing_gives_nothing():
    assert recognize_guarded(Reader(), [], LIMITS) == []


def out_of_memory_above(limit_s):
    """Has memory for so much audio at once."""

    def defect(utterance, hypothesis):
        if utterance.duration_s > limit_s:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return hypothesis

    return defect


def test_what_does_not_fit_into_memory_alone_is_recognised_in_parts_with_times_on_its_own_clock():
    whole, (divided, neighbour) = (
        run(Reader(), guard_input(WORDS[:20]))[0],
        run(Reader(out_of_memory_above(5.0)), guard_input(WORDS[:20]), guard_input(WORDS[:3])),
    )
    assert divided.outcome.text == whole.outcome.text
    assert [word.start_s for word in divided.outcome.words] == pytest.approx(
        [word.start_s for word in whole.outcome.words], abs=0.01
    )
    assert (divided.attempts, neighbour.attempts) == (2, 1)
    assert divided.flags == ()


def test_what_fits_in_no_part_is_a_failure_of_its_own():
    failed, fine = run(Reader(out_of_memory_above(1.0)), guard_input(WORDS[:20]), guard_input(WORDS[:1]))
    assert failed.outcome.cause is Cause.OUT_OF_MEMORY
    assert isinstance(fine.outcome, Hypothesis)
