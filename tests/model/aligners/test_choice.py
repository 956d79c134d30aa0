"""Which aligner times what, and which times are believed."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from funasr_beam.model.aligners import loading
from funasr_beam.model.aligners.base import Alignment, AlignTask, Untimed
from funasr_beam.model.aligners.choice import AlignmentSettings, WordAligner
from funasr_beam.model.batching import BatchLimits
from funasr_beam.model.errors import RunError
from funasr_beam.model.records import Hypothesis, Word

LIMITS = BatchLimits(60.0, 8)
SURE, UNSURE = Word("yes", 0.1, 0.4, 0.9), Word("yes", 0.1, 0.4, 0.02)
BOTH = AlignmentSettings("auto", "the-qwen", (("*", "the-mms"), ("sv", "the-swede")), min_score=0.2)
ONE = replace(BOTH, wav2vec2=())


class Listener:
    """An aligner with a score of its own; it dies of certain words, or of more than one text at once."""

    def __init__(self, source, score=0.8, longest_s=60.0, room=8, on_gpu=False, room_s=600.0):
        self.source, self.longest_s, self.on_gpu, self.heard = source, longest_s, on_gpu, []
        self._score, self._room, self._room_s = score, room, room_s

    def align(self, tasks):
        if len(tasks) > self._room or any("deadly" in task.text for task in tasks):
            raise RuntimeError("too much")
        if sum(task.duration_s for task in tasks) > self._room_s:
            raise torch.OutOfMemoryError("CUDA out of memory")
        self.heard += [task.text for task in tasks]
        return [Alignment((Word(task.text, 0.0, 0.5, self._score),), self._score) for task in tasks]


def task(text, language="en", seconds=2):
    return AlignTask(np.zeros(seconds * 16_000, np.int16), text, language)


def run(settings, tasks, hypotheses=None, **listeners):
    aligner = WordAligner(settings, LIMITS)
    aligner._loaded.update(
        {("qwen3", "the-qwen", "auto"): listeners.get("qwen3", Listener("qwen3"))}
        | {("qwen3", "the-qwen", "cpu"): listeners.get("on_cpu")}
        | {
            ("wav2vec2", name, "auto"): listeners.get("wav2vec2", Listener("wav2vec2"))
            for name in ("the-mms", "the-swede")
        }
    )
    return aligner.align(tasks, hypotheses or [Hypothesis(item.text, (), "stop") for item in tasks])


def test_the_recognisers_own_times_stay_where_they_can_be_believed():
    own = Hypothesis("yes", (), "stop", (SURE,), "ctc")
    kept = run(BOTH, [task("yes")], [own])[0]
    assert kept == replace(own, alignment_score=0.9)


def test_own_times_that_cannot_be_believed_give_way_to_another_aligner():
    doubtful = Hypothesis("yes", (), "stop", (UNSURE,), "ctc")
    assert run(BOTH, [task("yes")], [doubtful])[0].timestamp_source == "qwen3"
    alone = run(AlignmentSettings("ctc", min_score=0.2), [task("yes")], [doubtful])[0]
    assert (alone.words, alone.timestamp_source, alone.alignment_score) == (None, "none", pytest.approx(0.02))


@pytest.mark.parametrize(
    ("language", "model"),
    [
        ("zh", ("qwen3", "the-qwen")),
        (None, ("qwen3", "the-qwen")),
        ("sv", ("wav2vec2", "the-swede")),
        ("th", ("wav2vec2", "the-mms")),
    ],
)
def test_the_language_chooses_the_aligner(language, model):
    assert BOTH.candidates(language)[0] == model
    assert run(BOTH, [task("ja", language)])[0].timestamp_source == model[0]


def test_a_flag_names_one_kind_and_none_means_none():
    own = Hypothesis("yes", (), "stop", (SURE,), "ctc")
    assert run(replace(BOTH, aligner="wav2vec2"), [task("yes")], [own])[0].timestamp_source == "wav2vec2"
    assert run(replace(BOTH, aligner="ctc"), [task("yes")], [own])[0].timestamp_source == "ctc"
    assert run(replace(BOTH, aligner="none"), [task("yes")], [own])[0].words is None
    assert run(replace(BOTH, aligner="qwen3"), [task("ja", "sv")])[0].timestamp_source == "none"
    assert AlignmentSettings("auto").candidates("en") == []


def test_an_alignment_below_the_least_score_leaves_its_score_and_no_times():
    found = run(ONE, [task("yes")], qwen3=Listener("qwen3", score=0.1))[0]
    assert (found.words, found.timestamp_source, found.alignment_score) == (None, "none", 0.1)


def test_what_kills_the_aligner_costs_its_neighbours_nothing():
    tasks = [task("one"), task("deadly"), task("three"), task("")]
    found = run(ONE, tasks)
    assert [item.timestamp_source for item in found] == ["qwen3", "none", "qwen3", "none"]
    assert [item.text for item in found] == ["one", "deadly", "three", ""]
    small = run(BOTH, tasks[:1] * 5, qwen3=Listener("qwen3", room=1))
    assert {item.timestamp_source for item in small} == {"qwen3"}


def test_what_does_not_fit_on_a_gpu_even_on_its_own_is_aligned_on_the_cpu():
    gpu, cpu = Listener("qwen3", on_gpu=True, room_s=5.0), Listener("qwen3")
    found = run(BOTH, [task("one"), task("long", seconds=9), task("two"), task("three")], qwen3=gpu, on_cpu=cpu)
    assert [item.timestamp_source for item in found] == ["qwen3"] * 4
    assert (sorted(gpu.heard), cpu.heard) == (["one", "three", "two"], ["long"])
    assert [item.untimed for item in found] == [None] * 4


@pytest.mark.parametrize("on_gpu", [True, False])
def test_what_fits_nowhere_has_no_times_and_says_why(on_gpu):
    narrow = Listener("qwen3", on_gpu=on_gpu, room_s=5.0)
    found = run(ONE, [task("one"), task("long", seconds=9)], qwen3=narrow, on_cpu=Listener("qwen3", room_s=6.0))
    assert [item.timestamp_source for item in found] == ["qwen3", "none"]
    assert [item.untimed for item in found] == [None, Untimed.MEMORY]


def test_where_there_is_no_room_for_a_second_copy_on_the_cpu_the_run_goes_on(monkeypatch):
    def load_aligner(*_):
        raise RunError("cannot be loaded: DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(loading, "load_aligner", load_aligner)
    narrow = Listener("qwen3", on_gpu=True, room_s=5.0)
    aligner = WordAligner(ONE, LIMITS, {("qwen3", "the-qwen", "auto"): narrow})
    (found,) = aligner.align([task("long", seconds=9)], [Hypothesis("long", (), "stop")])
    assert (found.words, found.untimed) == (None, Untimed.MEMORY)


def test_what_kills_the_aligner_says_so_and_is_not_tried_on_the_cpu():
    cpu = Listener("qwen3")
    found = run(ONE, [task("one"), task("deadly")], qwen3=Listener("qwen3", on_gpu=True), on_cpu=cpu)
    assert [item.untimed for item in found] == [None, Untimed.FAILED]
    assert cpu.heard == []


def test_a_text_without_words_or_aligner_has_nothing_to_explain():
    found = run(AlignmentSettings("auto"), [task("yes")]) + run(BOTH, [task("")])
    assert [item.untimed for item in found] == [None, None]


def test_sound_that_is_too_long_for_the_aligner_has_no_word_times_and_says_why():
    found = run(ONE, [task("long", seconds=9), task("short")], qwen3=Listener("qwen3", longest_s=5.0))
    assert [item.timestamp_source for item in found] == ["none", "qwen3"]
    assert [item.untimed for item in found] == [Untimed.TOO_LONG, None]


@pytest.mark.parametrize(
    "first", [{"score": 0.1}, {"longest_s": 5.0}, {"room": 0}, {"room_s": 5.0}], ids=["unsure", "short", "dies", "full"]
)
def test_what_one_aligner_cannot_time_goes_to_the_next(first):
    heard = Listener("wav2vec2")
    (found,) = run(BOTH, [task("long", seconds=9)], qwen3=Listener("qwen3", **first), wav2vec2=heard)
    assert (found.timestamp_source, found.alignment_score, found.untimed) == ("wav2vec2", 0.8, None)
    assert heard.heard == ["long"]


def test_where_all_fail_the_last_reason_stays():
    listeners = {"qwen3": Listener("qwen3", longest_s=5.0), "wav2vec2": Listener("wav2vec2", room=0)}
    (found,) = run(BOTH, [task("long", seconds=9)], **listeners)
    assert (found.words, found.timestamp_source, found.untimed) == (None, "none", Untimed.FAILED)


def test_what_is_timed_does_not_go_on_to_the_next():
    heard = Listener("wav2vec2")
    assert run(BOTH, [task("yes")], wav2vec2=heard)[0].timestamp_source == "qwen3"
    assert heard.heard == []


def test_every_named_model_is_known_before_work_begins():
    assert BOTH.models() == [("qwen3", "the-qwen"), ("wav2vec2", "the-mms"), ("wav2vec2", "the-swede")]
    assert replace(BOTH, aligner="qwen3").models() == [("qwen3", "the-qwen")]
    assert replace(BOTH, aligner="none").models() == []
