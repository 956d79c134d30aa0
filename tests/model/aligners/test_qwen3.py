"""Qwen3-ForcedAligner: its marks become times, and what it puts out of order becomes none."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from funasr_beam.model.aligners import qwen3
from funasr_beam.model.aligners.base import AlignTask
from funasr_beam.model.aligners.loading import load_aligner
from funasr_beam.model.aligners.qwen3 import near, settle
from funasr_beam.model.text import word_spans
from tests.audio_doubles import sound
from tests.tiny_families import build_qwen3_aligner

GRID_S = 0.08


@pytest.fixture(scope="module")
def aligner(tmp_path_factory):
    return load_aligner("qwen3", str(build_qwen3_aligner(tmp_path_factory.mktemp("qwen3"))), "cpu")


@pytest.fixture
def marked(aligner, monkeypatch):
    """Align a text as if the model had put these steps of the grid behind its words."""

    def align(text, steps, language="en", seconds=8.0):
        marks = (torch.tensor(steps), torch.full((len(steps),), 0.75))
        monkeypatch.setattr(aligner, "_mark", lambda tasks, pieces: [marks])
        return aligner.align([AlignTask(np.zeros(int(seconds * 16_000), np.int16), text, language)])[0]

    return align


def timed(alignment):
    return [(word.text, round(word.start_s, 2), round(word.end_s, 2)) for word in alignment.words]


def test_marks_become_the_times_of_the_words(marked):
    alignment = marked("Well-known, isn't it?", [1, 5, 6, 9, 9, 12])
    assert timed(alignment) == [("Well-known", 0.08, 0.4), ("isn't", 0.48, 0.72), ("it", 0.72, 0.96)]
    assert alignment.score == pytest.approx(0.75)


def test_chinese_characters_have_a_time_each_and_foreign_words_stay_whole(marked):
    alignment = marked("iPhone手机。", [0, 5, 5, 7, 8, 10], "zh")
    assert timed(alignment) == [("iPhone", 0.0, 0.4), ("手", 0.4, 0.56), ("机", 0.64, 0.8)]


def test_characters_that_the_model_takes_as_one_word_are_one_word(marked):
    alignment = marked("東京に行く", [0, 5, 5, 7, 8, 12], "ja")
    assert timed(alignment) == [("東京", 0.0, 0.4), ("に", 0.4, 0.56), ("行く", 0.64, 0.96)]


def test_parts_of_one_korean_word_are_one_word(aligner, marked):
    text = "저는 학교에 갑니다"
    pieces = aligner._pieces(AlignTask(np.zeros(16_000, np.int16), text, "ko"))
    alignment = marked(text, list(range(2 * len(pieces))), "ko")
    assert [word.text for word in alignment.words] == ["저는", "학교에", "갑니다"]


def test_a_sign_that_the_model_drops_goes_with_the_word_before_it(marked):
    assert [word.text for word in marked("$ 5 % off", [1, 2, 3, 4]).words] == ["$ 5 %", "off"]


def test_a_word_without_a_length_gets_one_step_where_there_is_room_and_else_goes_with_its_neighbour(marked):
    assert timed(marked("a b", [2, 2, 6, 8])) == [("a", 0.16, 0.24), ("b", 0.48, 0.64)]
    assert timed(marked("a b c", [2, 4, 4, 4, 4, 8])) == [("a b", 0.16, 0.32), ("c", 0.32, 0.64)]


def test_marks_out_of_order_are_not_interpolated(marked):
    steps = [step for place in range(10) for step in (4 * place, 4 * place + 3)]
    steps[9] = 90  # the end of the fifth word
    alignment = marked("a b c d e f g h i j", steps)
    assert timed(alignment)[3] == ("d e", pytest.approx(0.96), pytest.approx(1.6))
    assert len(alignment.words) == 9
    assert marked("a b c", [40, 10, 30, 5, 20, 1]) is None


def test_a_text_without_words_has_no_times(aligner):
    assert aligner.align([AlignTask(np.zeros(16_000, np.int16), "...", "en")]) == [None]


def test_real_classes_run_in_batches_and_give_what_each_text_gives_alone(aligner):
    tasks = [
        AlignTask(sound(1.5, 1), "hello world", "en"),
        AlignTask(sound(3.2, 2), "北京大学很好", "zh"),
        AlignTask(sound(0.6, 3), "oui", None),
    ]
    pieces = [aligner._pieces(task) for task in tasks]
    together = aligner._mark(tasks, pieces)
    for (classes, posteriors), task, own in zip(together, tasks, pieces, strict=True):
        alone, sure = aligner._mark([task], [own])[0]
        assert classes.tolist() == alone.tolist()
        assert len(classes) == 2 * len(own)
        assert posteriors.tolist() == pytest.approx(sure.tolist(), abs=1e-4)
    assert len(aligner.align(tasks)) == 3


def test_in_bfloat16_as_on_a_gpu_the_angles_of_far_positions_stay_what_they_are(aligner, tmp_path, monkeypatch):
    monkeypatch.setattr(qwen3, "llm_dtype", lambda precision, device: torch.bfloat16)
    lowered = load_aligner("qwen3", str(build_qwen3_aligner(tmp_path)), "cpu")
    assert {part.dtype for part in lowered._model.parameters()} == {torch.bfloat16}
    buffers, wanted = (dict(model.named_buffers()) for model in (lowered._model, aligner._model))
    frequencies = [name for name in wanted if name.endswith("inv_freq")]
    assert frequencies
    assert all(torch.equal(buffers[name], wanted[name]) for name in frequencies)
    assert len(lowered.align([AlignTask(sound(1.5, 1), "hello world", "en")])) == 1


def test_it_takes_three_minutes(aligner):
    assert aligner.longest_s == 180.0


def test_a_neighbouring_step_counts_as_the_same():
    posteriors = torch.tensor([[0.1, 0.5, 0.3, 0.1, 0.0], [0.9, 0.1, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.3, 0.7]])
    assert near(posteriors).tolist() == pytest.approx([0.9, 1.0, 1.0])


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=1, max_size=12))
def test_stretches_are_ordered_and_disjoint_and_cover_every_piece_or_there_are_none(marks):
    edges = [step * GRID_S for pair in marks for step in pair]
    stretches = settle(edges, GRID_S, 60 * GRID_S)
    if stretches:
        assert [item.first for item in stretches] == [0, *(item.last for item in stretches[:-1])]
        assert stretches[-1].last == len(marks)
        times = [time for item in stretches for time in (item.start_s, item.end_s)]
        assert times == sorted(times)
        assert all(item.start_s < item.end_s for item in stretches)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=12))
def test_marks_in_order_are_all_believed(gaps):
    edges = np.cumsum([gap + 1 for gap in gaps for _ in range(2)]) * GRID_S
    stretches = settle(edges.tolist(), GRID_S, 1e3)
    assert [time for item in stretches for time in (item.start_s, item.end_s)] == pytest.approx(edges.tolist())


def test_word_spans_and_pieces_agree_on_plain_text(aligner):
    text = "one two three"
    pieces = aligner._pieces(AlignTask(np.zeros(16_000, np.int16), text, "en"))
    assert [piece.text for piece in pieces] == [word.text for word in word_spans(text)]
