import dataclasses

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import memory_model
from funasr_beam.model.batching import recognize_all
from funasr_beam.model.checkpoint import resolve
from funasr_beam.model.recognizers import memory
from funasr_beam.model.recognizers.base import GPU_UNIT_S, RecognizerSettings, Utterance
from funasr_beam.model.recognizers.families import load_recognizer
from funasr_beam.model.recognizers.fun_asr_nano import FunAsrNanoRecognizer
from funasr_beam.model.recognizers.memory import (
    CPU,
    GPU,
    _left_in_container,
    free_bytes,
    plan,
    plan_windows,
)
from funasr_beam.model.recognizers.memory_needs import MemoryNeeds
from funasr_beam.model.records import Hypothesis, RecognitionOptions
from tests.audio_doubles import sound
from tests.tiny_families import build_glm_asr, build_qwen3_asr, build_whisper

GIB = 1 << 30
NANO = MemoryNeeds(
    frames_per_s=16_000 / 960, frame=32_960, mask=5, kept_frame=4_096, token=64_000, position=114_688, row=1_549_747
)

WHISPER = MemoryNeeds(50.0, frame=32_428, mask=0, kept_frame=0, token=32_980, position=168_960, row=266_000_000)
POSITIONS = 448
OTHER_FAMILIES = sorted({*memory_model.FAMILIES} - {"Fun-ASR-Nano"})


@given(st.integers(1 << 30, 100 << 30), st.sampled_from([GPU, CPU]))
def test_all_that_is_planned_to_be_held_together_fits_into_what_is_free(free, shares):
    found = plan(NANO, free, shares)
    engine = found.engine
    frames = NANO.frames(found.encoder_padded_s)
    working = max(NANO.encoding(frames, 500), NANO.reading(engine.prefill_tokens, engine.max_rows))
    assert engine.kv_bytes + working + engine.max_rows * NANO.row <= free


@given(st.integers(4 << 30, 100 << 30))
def test_a_gpu_keeps_room_for_the_encoded_frames_of_a_whole_unit(free):
    found = plan(NANO, free, GPU)
    frames = NANO.frames(found.encoder_padded_s)
    kept = NANO.frames(GPU_UNIT_S) * NANO.kept_frame
    assert found.engine.kv_bytes + NANO.encoding(frames, 500) + kept <= free


@given(st.integers(0, 100 << 30), st.integers(0, 100 << 30))
def test_more_memory_never_makes_for_less_at_once(one, other):
    less, more = (plan(NANO, free, GPU) for free in sorted((one, other)))
    assert less.encoder_padded_s <= more.encoder_padded_s
    assert less.engine.max_rows <= more.engine.max_rows
    assert less.engine.prefill_tokens <= more.engine.prefill_tokens


@pytest.mark.parametrize("free", [0, 1, 1 << 20])
def test_without_memory_one_thing_after_another_is_still_tried(free):
    found = plan(NANO, free, GPU)
    assert (found.engine.max_rows, found.engine.kv_bytes) == (1, 0)
    assert found.encoder_padded_s >= 1.0
    assert found.engine.prefill_tokens >= 1


@given(st.integers(2 << 30, 100 << 30), st.sampled_from([GPU, CPU]))
def test_windows_that_are_written_together_fit_and_one_more_would_not(free, shares):
    found = plan_windows(WHISPER, free, shares, 30.0, POSITIONS)
    row = WHISPER.writing(POSITIONS // 2, POSITIONS)
    encoded = WHISPER.encoding(WHISPER.frames(found.encoder_padded_s), 1_500)
    assert max(found.engine.max_rows * row, encoded) <= max(shares.usable(free), row)
    assert found.engine.max_rows == shares.rows or (found.engine.max_rows + 1) * row > shares.usable(free)


def test_without_memory_a_single_window_is_still_tried():
    found = plan_windows(WHISPER, 0, GPU, 30.0, POSITIONS)
    assert (found.encoder_padded_s, found.engine.max_rows) == (30.0, 1)


@pytest.mark.parametrize(
    "family", ["Fun-ASR-Nano", *(pytest.param(name, marks=pytest.mark.slow) for name in OTHER_FAMILIES)]
)
def test_the_model_is_never_below_what_torch_takes_and_not_a_fifth_above(family, monkeypatch):
    monkeypatch.setattr(memory_model, "ENCODED_S", ((4, 16.0),))
    monkeypatch.setattr(memory_model, "READ", ((4, 40),))
    monkeypatch.setattr(memory_model, "WRITTEN", ((2, 40),))
    peaks = list(memory_model.measure(memory_model.FAMILIES[family](layers=2, vocab_size=60_000)))
    assert {peak.what for peak in peaks} > {"encode"}
    for peak in peaks:
        assert peak.measured_bytes <= peak.modelled_bytes <= 1.2 * peak.measured_bytes, peak


@pytest.mark.parametrize("family", memory_model.FAMILIES)
def test_every_card_that_holds_the_weights_has_its_plan_and_a_larger_one_does_no_less_at_once(family):
    cards = memory_model.plan_cards(memory_model.FAMILIES[family])
    rows = [card["rows"] for card in cards]
    assert rows == sorted(rows)
    assert rows[0] >= 1
    assert rows[-1] >= 64
    assert all(card["kv_gib"] <= card["card_gib"] for card in cards)


def test_the_recogniser_takes_the_plan_unless_it_is_told_otherwise(tiny_checkpoint):
    ref = resolve(str(tiny_checkpoint))
    own = FunAsrNanoRecognizer.load(ref, RecognizerSettings(device="cpu"))
    told = FunAsrNanoRecognizer.load(ref, RecognizerSettings(device="cpu", encoder_padded_s=33.0))
    assert own.batch_limits.part_padded_s == CPU.encoder_padded_s
    assert told.batch_limits == dataclasses.replace(own.batch_limits, part_padded_s=33.0)


@pytest.mark.parametrize("card_gib", [4, 6, 80])
def test_no_more_is_encoded_at_once_than_may_wait_for_its_texts(card_gib):
    found = plan(NANO, card_gib << 30, GPU)
    waiting = found.waiting_s * NANO.frames_per_s * NANO.kept_frame
    assert waiting <= GPU.usable(card_gib << 30) / 5
    assert found.waiting_s == pytest.approx(GPU_UNIT_S) or card_gib < 8


def test_a_recogniser_with_little_memory_is_asked_for_little(tiny_checkpoint, monkeypatch):
    monkeypatch.setattr(memory, "free_bytes", lambda device: 1 << 20)
    found = FunAsrNanoRecognizer.load(resolve(str(tiny_checkpoint)), RecognizerSettings(device="cpu")).batch_limits
    assert found.max_padded_s < 960.0


@pytest.mark.parametrize("build", [build_qwen3_asr, build_glm_asr, build_whisper])
def test_recognisers_of_other_families_take_what_the_plan_says_at_once(build, tmp_path, monkeypatch):
    folder = str(build(tmp_path))
    roomy = load_recognizer(folder, RecognizerSettings(device="cpu")).batch_limits
    monkeypatch.setattr(memory, "free_bytes", lambda device: 4 << 20)
    narrow = load_recognizer(folder, RecognizerSettings(device="cpu")).batch_limits
    assert roomy.max_items == CPU.rows
    assert 1 <= narrow.max_items < roomy.max_items
    assert narrow.max_padded_s == 30.0 * narrow.max_items


@pytest.mark.parametrize("build", [build_glm_asr, build_whisper])
def test_however_little_is_done_at_once_the_texts_are_the_same(build, tmp_path, monkeypatch):
    folder, settings = str(build(tmp_path)), RecognizerSettings(device="cpu", base_tokens=4)
    utterances = [Utterance(sound(0.5 + place % 3, place), RecognitionOptions("en")) for place in range(6)]
    expected = load_recognizer(folder, settings).recognize(utterances)
    monkeypatch.setattr(memory, "free_bytes", lambda device: 0)
    one_by_one = load_recognizer(folder, settings)
    assert one_by_one.batch_limits.max_items == 1
    assert [item.text for item in one_by_one.recognize(utterances)] == [item.text for item in expected]


def test_a_whisper_that_lacks_memory_all_the_same_is_asked_for_less(tmp_path, monkeypatch):
    recognizer = load_recognizer(str(build_whisper(tmp_path)), RecognizerSettings(device="cpu", base_tokens=4))
    begin, asked = recognizer._begin, []

    def begin_few(utterances, encoded):
        asked.append(len(utterances))
        if len(utterances) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return begin(utterances, encoded)

    monkeypatch.setattr(recognizer, "_begin", begin_few)
    utterances = [Utterance(sound(1.0, place)) for place in range(5)]
    found = recognize_all(recognizer, utterances, recognizer.batch_limits)
    assert all(isinstance(item, Hypothesis) for item in found)
    assert asked == [5, 2, 3, 1, 2]


def test_a_container_with_a_limit_has_what_is_left_of_it_and_one_without_has_no_end(tmp_path):
    assert _left_in_container(tmp_path) > 1 << 50
    (tmp_path / "memory.current").write_text("1000\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert _left_in_container(tmp_path) > 1 << 50
    (tmp_path / "memory.max").write_text("5000\n")
    assert _left_in_container(tmp_path) == 4_000


def test_this_machine_has_some_memory_left():
    assert 1 << 20 < free_bytes(torch.device("cpu")) < 1 << 50
