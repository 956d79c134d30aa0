import dataclasses

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import memory_model
from funasr_beam.model.checkpoint import resolve
from funasr_beam.model.recognizers.base import RecognizerSettings
from funasr_beam.model.recognizers.fun_asr_nano import FunAsrNanoRecognizer
from funasr_beam.model.recognizers.memory import (
    CPU,
    FRAMES_PER_S,
    GPU,
    UNIT_S,
    MemoryNeeds,
    _left_in_container,
    free_bytes,
    plan,
)

NANO = MemoryNeeds(frame=32_960, mask=5, kept_frame=4_096, token=64_000, position=114_688, row=1_549_747)


@given(st.integers(1 << 30, 100 << 30), st.sampled_from([GPU, CPU]))
def test_all_that_is_planned_to_be_held_together_fits_into_what_is_free(free, shares):
    found = plan(NANO, free, shares)
    engine = found.engine
    frames = round(found.encoder_padded_s * FRAMES_PER_S)
    working = max(NANO.encoding(frames, 500), NANO.reading(engine.prefill_tokens, engine.max_rows))
    assert engine.kv_bytes + working + engine.max_rows * NANO.row <= free


@given(st.integers(4 << 30, 100 << 30))
def test_a_gpu_keeps_room_for_the_encoded_frames_of_a_whole_unit(free):
    found = plan(NANO, free, GPU)
    frames = round(found.encoder_padded_s * FRAMES_PER_S)
    kept = round(UNIT_S * FRAMES_PER_S) * NANO.kept_frame
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


def test_the_model_is_never_below_what_torch_takes_and_not_a_fifth_above(monkeypatch):
    monkeypatch.setattr(memory_model, "ENCODED", ((3, 60), (2, 400)))
    monkeypatch.setattr(memory_model, "READ", ((4, 40),))
    peaks = list(memory_model.measure(memory_model.build_model(layers=2, vocab_size=20_000)))
    assert {peak.what for peak in peaks} == {"encode", "read", "write"}
    for peak in peaks:
        assert peak.measured_bytes <= peak.modelled_bytes <= 1.2 * peak.measured_bytes, peak


def test_the_recogniser_takes_the_plan_unless_it_is_told_otherwise(tiny_checkpoint):
    ref = resolve(str(tiny_checkpoint))
    own = FunAsrNanoRecognizer.load(ref, RecognizerSettings(device="cpu"))
    told = FunAsrNanoRecognizer.load(ref, RecognizerSettings(device="cpu", encoder_padded_s=33.0))
    assert own.batch_limits.part_padded_s == CPU.encoder_padded_s
    assert told.batch_limits == dataclasses.replace(own.batch_limits, part_padded_s=33.0)


def test_a_container_with_a_limit_has_what_is_left_of_it_and_one_without_has_no_end(tmp_path):
    assert _left_in_container(tmp_path) > 1 << 50
    (tmp_path / "memory.current").write_text("1000\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert _left_in_container(tmp_path) > 1 << 50
    (tmp_path / "memory.max").write_text("5000\n")
    assert _left_in_container(tmp_path) == 4_000


def test_this_machine_has_some_memory_left():
    assert 1 << 20 < free_bytes(torch.device("cpu")) < 1 << 50
