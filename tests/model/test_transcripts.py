"""What is loaded for a worker and in which order, and what of an aligner's failure reaches a segment."""

import contextlib
import threading
import time

import pytest
import torch

from funasr_beam.model import devices, transcriber_pool, transcripts
from funasr_beam.model.aligners import choice, loading
from funasr_beam.model.aligners.base import Alignment
from funasr_beam.model.aligners.choice import AlignmentSettings, WordAligner
from funasr_beam.model.batching import BatchLimits
from funasr_beam.model.checkpoint import describe, resolve
from funasr_beam.model.errors import RunError
from funasr_beam.model.front_end import SpanAudio, UnitAudio
from funasr_beam.model.records import Hypothesis, Recording, Segment, Span, Token, Unit, Word
from funasr_beam.model.transcripts import TranscriberConfig, UnitTranscriber, load_transcriber
from tests.audio_doubles import sound

GPU_LIMITS = BatchLimits(14_400.0, 4_096, 1e6, 960.0)
WITH_ALIGNER = AlignmentSettings("auto", "the-qwen")


class Recognizer:
    batch_limits = GPU_LIMITS

    def describe(self):
        return describe(resolve("demo"))

    def recognize(self, utterances):
        return [Hypothesis("one two three", (Token("one two three", -0.1),), "stop") for _ in utterances]


class CrampedAligner:
    source, longest_s, on_gpu = "qwen3", 60.0, False

    def align(self, tasks):
        if any(task.duration_s > 5 for task in tasks):
            raise torch.OutOfMemoryError("CUDA out of memory")
        return [Alignment((Word(task.text, 0.0, 0.5, 0.9),), 0.9) for task in tasks]


@pytest.fixture
def loaded(monkeypatch):
    """The order in which models are loaded."""
    order = []
    monkeypatch.setattr(loading, "load_aligner", lambda source, *_: order.append(source))
    monkeypatch.setattr(transcripts, "load_recognizer", lambda *_: order.append("recogniser") or Recognizer())
    load_transcriber.cache_clear()
    yield order
    load_transcriber.cache_clear()


def test_aligners_are_loaded_before_the_recogniser_shares_out_what_memory_is_left(loaded):
    load_transcriber(TranscriberConfig("demo", alignment=WITH_ALIGNER))
    assert loaded == ["qwen3", "recogniser"]


@pytest.mark.parametrize(
    ("asked", "limits"), [((0.0, 0), (120.0, 64)), ((60.0, 8), (60.0, 8)), ((900.0, 99), (120.0, 64))]
)
def test_aligners_are_not_given_the_whole_units_that_a_recogniser_divides_by_itself(loaded, asked, limits):
    config = TranscriberConfig("demo", alignment=WITH_ALIGNER, max_padded_s=asked[0], max_items=asked[1])
    (member,) = load_transcriber(config).members
    aligner = member.transcriber._aligner
    assert (aligner.limits.max_padded_s, aligner.limits.max_items) == limits
    assert aligner.limits.batch_cost_s == choice.LIMITS.batch_cost_s


@pytest.fixture
def apart(monkeypatch):
    """The devices whose recognisers get a process of their own; here they get none."""
    started = []
    monkeypatch.setattr(
        transcripts, "OwnProcessRecognizer", lambda load, clock, device: started.append(device) or load()
    )
    return started


@pytest.fixture
def cards(loaded, apart, monkeypatch):
    """Two GPUs; those that are full have no room for a recogniser."""
    full = set()

    def load(_, settings):
        if settings.device in full:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return Recognizer()

    monkeypatch.setattr(transcripts, "load_recognizer", load)
    monkeypatch.setattr(devices, "device_names", lambda _: ["cuda:0", "cuda:1"])
    monkeypatch.setattr(devices, "computing_on", lambda _: contextlib.nullcontext())
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (2**30, 2**34))
    return full


def test_each_gpu_has_models_of_its_own(cards):
    first, second = load_transcriber(TranscriberConfig("demo", alignment=WITH_ALIGNER)).members
    assert (first.device, second.device) == ("cuda:0", "cuda:1")
    assert first.transcriber._aligner.settings.device == "cuda:0"
    assert second.transcriber._aligner.settings.device == "cuda:1"


def test_a_gpu_without_room_is_left_out(cards, caplog):
    cards.add("cuda:0")
    (member,) = load_transcriber(TranscriberConfig("demo")).members
    assert member.device == "cuda:1"
    assert "Left out: cuda:0 with 1.0 of 16.0 GiB free: too little memory for the model demo" in caplog.text


def test_a_gpu_without_room_even_for_a_context_is_left_out_and_another_trouble_is_not(cards, monkeypatch, caplog):
    def enter(name):
        if name == "cuda:1":
            raise torch.AcceleratorError(trouble)
        return contextlib.nullcontext()

    def ask(device):
        if device == "cuda:1":
            raise torch.AcceleratorError(trouble)
        return 2**30, 2**34

    monkeypatch.setattr(devices, "computing_on", enter)
    monkeypatch.setattr(torch.cuda, "mem_get_info", ask)
    trouble, shared = "CUDA error: out of memory", TranscriberConfig("demo", process="shared")
    (member,) = load_transcriber(shared).members
    assert member.device == "cuda:0"
    assert "Left out: cuda:1 with no memory free" in caplog.text
    load_transcriber.cache_clear()
    trouble = "CUDA error: an illegal memory access was encountered"
    with pytest.raises(torch.AcceleratorError, match="illegal"):
        load_transcriber(shared)


@pytest.mark.parametrize(
    ("config", "started", "contexts"),
    [
        (TranscriberConfig("demo"), ["cuda:0", "cuda:1"], {"cpu"}),
        (TranscriberConfig("demo", alignment=WITH_ALIGNER), ["cuda:0", "cuda:1"], {"cuda:0", "cuda:1"}),
        (TranscriberConfig("demo", process="shared"), [], {"cuda:0", "cuda:1"}),
        (TranscriberConfig("https://host/v1#tiny", process="own"), [], {"auto"}),
    ],
)
def test_on_gpus_recognisers_have_processes_and_this_one_a_context_only_where_it_computes(
    cards, apart, monkeypatch, config, started, contexts
):
    entered = set()
    enter = lambda name: entered.add(name) or contextlib.nullcontext()  # noqa: E731
    monkeypatch.setattr(devices, "computing_on", enter)
    monkeypatch.setattr(transcriber_pool, "computing_on", enter)
    pool = load_transcriber(config)
    for _ in pool.members:
        pool.transcribe(UnitAudio(Unit("u", ()), ()))
    assert (sorted(apart), entered) == (started, contexts)


def test_gpus_load_at_once_where_each_has_a_process_for_it(cards, monkeypatch):
    both = threading.Barrier(2)

    def load(*_):
        both.wait(30)
        return Recognizer()

    monkeypatch.setattr(transcripts, "load_recognizer", load)
    assert len(load_transcriber(TranscriberConfig("demo")).members) == 2


def test_gpus_that_share_this_process_load_one_after_the_other(cards, monkeypatch):
    loading_now = threading.Lock()

    def load(*_):
        assert loading_now.acquire(blocking=False)
        time.sleep(0.05)
        loading_now.release()
        return Recognizer()

    monkeypatch.setattr(transcripts, "load_recognizer", load)
    assert len(load_transcriber(TranscriberConfig("demo", process="shared")).members) == 2


def test_a_cpus_recogniser_shares_the_process_unless_it_is_told_otherwise(loaded, apart):
    for process in ("auto", "shared", "own"):
        load_transcriber(TranscriberConfig("demo", device="cpu", process=process))
    assert apart == ["cpu"]


def test_a_gpus_aligner_takes_less_at_once_where_memory_is_short_and_its_share_is_left_to_it(cards, monkeypatch):
    asked = []
    monkeypatch.setattr(transcripts, "load_recognizer", lambda _, settings: asked.append(settings) or Recognizer())
    first, _ = load_transcriber(TranscriberConfig("demo", alignment=WITH_ALIGNER)).members
    limit_s = first.transcriber._aligner.limits.max_padded_s
    assert 0 < limit_s < 10
    assert asked[0].reserve_bytes == pytest.approx(limit_s * choice.SECOND_BYTES, abs=1)
    load_transcriber.cache_clear()
    load_transcriber(TranscriberConfig("demo"))
    assert asked[-1].reserve_bytes == 0


def test_where_no_gpu_has_room_the_run_says_so(cards):
    cards.update({"cuda:0", "cuda:1"})
    with pytest.raises(RunError, match=r"cuda:0 with .*, cuda:1 with .*model demo; end what else uses it"):
        load_transcriber(TranscriberConfig("demo"))


def test_an_endpoint_is_asked_by_one_however_many_gpus_there_are(cards):
    assert len(load_transcriber(TranscriberConfig("https://host/v1#tiny")).members) == 1


def test_a_segment_whose_aligner_lacks_memory_keeps_its_text_and_says_why_it_has_no_times():
    span = Span("s", Recording("r", "file:///a.wav", "1-2", 10), None, 0, 0.0, 9.0)
    segments = (Segment(0, 0, 0.0, 2.0, sound(2.0, 1)), Segment(0, 1, 3.0, 9.0, sound(6.0, 2)))
    unit = UnitAudio(Unit("u", (span,)), (SpanAudio(span, None, 0.0, 9.0, segments),))
    config = TranscriberConfig("demo", repair=False, alignment=WITH_ALIGNER)
    aligner = WordAligner(WITH_ALIGNER, _loaded={("qwen3", "the-qwen", "auto"): CrampedAligner()})
    (found,) = UnitTranscriber(Recognizer(), config, aligner).transcribe(unit).spans
    short, long = found.segments
    assert (short.timestamp_source, "aligner_memory" in short.flags) == ("qwen3", False)
    assert (long.timestamp_source, long.words, "aligner_memory" in long.flags) == ("none", None, True)
    assert long.text_raw == "one two three"
