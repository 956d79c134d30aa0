"""A recogniser in a process of its own: the same answers, and no death of it is anybody else's."""

import contextlib
import functools
import logging
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from funasr_beam.model.batching import BatchLimits, recognize_all
from funasr_beam.model.errors import Cause, ProcessDiedError, RecordingError, RunError
from funasr_beam.model.imports import import_path
from funasr_beam.model.recognizers.base import Utterance
from funasr_beam.model.recognizers.own_process import owner
from funasr_beam.model.recognizers.own_process.owner import OwnProcessRecognizer
from funasr_beam.model.records import Failure
from funasr_beam.model.stage_clock import ENCODER, StageClock
from funasr_beam.model.turns import Work
from tests import own_process_doubles as doubles
from tests.processes import is_alive

LIMITS = BatchLimits(max_padded_s=1e6, max_items=1000)


def utterance(order=0, length=800):
    return Utterance(np.full(length, order, np.int16))


@pytest.fixture
def start():
    """Starts a process; all are ended."""
    started = []

    def begin(load=doubles.load, *arguments):
        clock = StageClock()
        started.append(OwnProcessRecognizer(functools.partial(load, clock, *arguments), clock, "cpu"))
        return started[-1]

    yield begin
    for one in started:
        one.close()


def texts(found):
    return [item.text for item in found]


def test_utterances_of_every_shape_arrive_as_they_are(start):
    recognizer = start()
    assert recognizer.recognize([]) == []
    every_second = Utterance(np.zeros(900, np.int16)[::2])
    assert texts(recognizer.recognize([utterance(length=7), every_second, utterance(length=3_000_000)])) == [
        "7",
        "450",
        "3000000",
    ]
    assert recognizer.batch_limits == doubles.Double.batch_limits


def test_the_seconds_and_stages_of_there_are_charged_here(start):
    recognizer = start()
    work = Work()
    recognizer.recognize([utterance()])
    assert 0.01 <= work.gpu_s <= work.worked_s
    assert recognizer._clock.read()[ENCODER].count == 1
    recognizer.recognize([utterance()])
    assert recognizer._clock.read()[ENCODER].count == 2


def test_errors_are_the_recognisers_own_and_say_where(start):
    recognizer = start()
    pid = recognizer.pid
    with pytest.raises(RecordingError, match="too short for this double") as caught:
        recognizer.recognize([utterance(doubles.WRONG)])
    assert caught.value.cause is Cause.TOO_SHORT
    with pytest.raises(torch.OutOfMemoryError) as lacking:
        recognizer.recognize([utterance(doubles.TOO_LARGE)] * 2)
    assert "_obey" in lacking.value.__notes__[0]
    with pytest.raises(RuntimeError, match="UnsendableError"):
        recognizer.recognize([utterance(doubles.STRANGE)])
    found = recognize_all(recognizer, [utterance(doubles.TOO_LARGE, length) for length in (500, 600)], LIMITS)
    assert texts(found) == ["500", "600"]
    assert recognizer.pid == pid


def test_a_line_for_the_log_that_cannot_be_written_is_no_failure(start):
    assert texts(start().recognize([utterance(doubles.LOGS_BADLY)])) == ["800"]


def test_its_log_is_the_owners(start, caplog):
    start().recognize([utterance(doubles.LOGS)])
    assert ("funasr_beam", logging.WARNING, "said there") in caplog.record_tuples


@pytest.mark.parametrize(
    ("order", "told"),
    [
        (doubles.KILLS, "signal SIGKILL): the system may be short of memory"),
        (doubles.BREAKS, "exit status 1): CUDA error: an illegal memory access was encountered"),
        (doubles.EXITS, "exit status 3): last words"),
    ],
)
def test_only_the_utterance_that_kills_it_fails(start, caplog, order, told):
    recognizer = start()
    given = [utterance(length=500 + place) for place in range(6)]
    given[2] = utterance(order, 502)
    found = recognize_all(recognizer, given, LIMITS)
    assert isinstance(found[2], Failure)
    assert found[2].cause is Cause.MODEL_ERROR
    assert told in found[2].message
    assert [item.text for item in found if not isinstance(item, Failure)] == ["500", "501", "503", "504", "505"]
    assert "a new one takes over" in caplog.text


@pytest.fixture
def hurried(monkeypatch):
    """Patience as with a GPU, but less of it."""
    monkeypatch.setattr(owner._Child, "_is_hurried", True)
    monkeypatch.setattr(owner, "PATIENCE_S", 1.0)
    monkeypatch.setattr(owner, "SLOWEST_X_REALTIME", 1e6)


def test_one_that_hangs_is_ended_and_only_the_utterance_at_fault_fails(start, hurried):
    given = [utterance(length=500), utterance(doubles.HANGS, 501), utterance(length=502)]
    found = recognize_all(start(), given, LIMITS)
    assert isinstance(found[1], Failure)
    assert "it gave no answer for" in found[1].message
    assert [item.text for item in found if not isinstance(item, Failure)] == ["500", "502"]


def test_a_gpu_has_patience_by_its_audio_and_a_cpu_any(start, monkeypatch):
    child, limits = start()._child, []
    monkeypatch.setattr(child, "_within", lambda *limit: limits.append(limit) or contextlib.nullcontext())
    child.ask([Utterance(np.zeros(16_000 * 7_200, np.int16))])
    assert limits == [(owner.PATIENCE_S + 1_800.0, "gave no answer")]
    assert not child._is_hurried
    child._device = "cuda:0"
    assert child._is_hurried


def test_one_that_does_not_even_read_is_ended(start, hurried):
    recognizer = start()
    os.kill(recognizer.pid, signal.SIGSTOP)
    assert texts(recognize_all(recognizer, [utterance(length=3_000_000)], LIMITS)) == ["3000000"]


def test_one_that_hangs_as_it_loads_ends_the_run(hurried, monkeypatch):
    monkeypatch.setattr(owner, "LOADING_S", 1.0)
    with pytest.raises(RunError, match="it was not ready for 1 s while it loaded the model"):
        OwnProcessRecognizer(functools.partial(doubles.load_badly, "hang"), StageClock(), "cpu")


def test_one_that_the_driver_holds_after_its_death_ends_the_run(start, hurried, monkeypatch):
    monkeypatch.setattr(owner, "_END_S", 0.2)
    recognizer = start()
    process = recognizer._child._process
    monkeypatch.setattr(process, "kill", lambda: None)
    os.kill(process.pid, signal.SIGSTOP)
    with pytest.raises(RunError, match=r"was killed \(it gave no answer .* restart the machine"):
        recognize_all(recognizer, [utterance()] * 4, LIMITS)
    os.kill(process.pid, signal.SIGKILL)


def test_no_process_at_all_is_a_message(monkeypatch):
    def refuse(*_, **__):
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    with pytest.raises(RunError, match=r"could not be started .*Cannot allocate memory"):
        OwnProcessRecognizer(doubles.load, StageClock(), "cpu")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_answer_that_cannot_be_read_keeps_nobody_waiting(start, monkeypatch):
    monkeypatch.setattr(owner, "_END_S", 0.5)
    found = recognize_all(start(), [utterance(length=500), utterance(doubles.UNREADABLE, 501)], LIMITS)
    assert found[0].text == "500"
    assert isinstance(found[1], Failure)


def test_its_death_is_noticed_though_a_process_that_it_started_lives_on(start, tmp_path):
    (found,) = recognize_all(start(doubles.load, str(tmp_path)), [utterance(doubles.OUTLIVED)], LIMITS)
    for left in tmp_path.glob("*.left"):
        os.kill(int(left.stem), signal.SIGKILL)
    assert "signal SIGKILL" in found.message


def test_a_death_is_no_fault_of_requests_beside_it(start):
    recognizer = start()
    lists = [[utterance(length=500 + place)] for place in range(12)]
    lists[3] = [utterance(doubles.KILLS, 503)]
    with ThreadPoolExecutor(12) as pool:
        found = list(pool.map(lambda own: recognize_all(recognizer, own, LIMITS), lists))
    failed = [place for place, (item,) in enumerate(found) if isinstance(item, Failure)]
    assert failed == [3]


def test_one_that_was_killed_while_idle_is_replaced(start, tmp_path):
    recognizer = start(doubles.load, str(tmp_path))
    recognizer.recognize([utterance()])
    os.kill(recognizer.pid, signal.SIGKILL)
    assert texts(recognize_all(recognizer, [utterance(length=700)], LIMITS)) == ["700"]
    assert len(list(tmp_path.iterdir())) == 2


def test_one_that_cannot_start_again_ends_the_run(start, tmp_path):
    recognizer = start(doubles.load_once, str(tmp_path))
    with pytest.raises(RunError, match="the GPU is gone"):
        recognize_all(recognizer, [utterance(doubles.KILLS)] * 4, LIMITS)


def test_one_that_dies_as_it_starts_again_is_tried_again(start, tmp_path, monkeypatch):
    monkeypatch.setattr(owner, "_PAUSE_S", 0.1)
    recognizer = start(doubles.load_late, str(tmp_path))
    os.kill(recognizer.pid, signal.SIGKILL)
    assert texts(recognize_all(recognizer, [utterance(length=700)], LIMITS)) == ["700"]
    assert len(list(tmp_path.iterdir())) == 3


def test_deaths_without_end_end_the_run(start, monkeypatch):
    monkeypatch.setattr(owner, "MOST_DEATHS", 3)
    recognizer = start()
    with pytest.raises(RunError, match=r"exit status 3\): last words, as did the 3 before it"):
        recognize_all(recognizer, [utterance(doubles.EXITS)] * 16, LIMITS)


@pytest.mark.parametrize(
    ("how", "kind", "told"),
    [
        ("error", RunError, "the checkpoint is damaged"),
        ("memory", torch.OutOfMemoryError, "out of memory"),
        ("crash", RunError, "SIGSEGV.* while it loaded the model"),
    ],
)
def test_what_keeps_it_from_loading_is_told(how, kind, told):
    with pytest.raises(kind, match=told):
        OwnProcessRecognizer(functools.partial(doubles.load_badly, how), StageClock(), "cpu")


@pytest.mark.parametrize("load", ["load", "load_without_owner"])
def test_it_ends_with_its_owner(load, tmp_path):
    script = (
        "import functools, os, signal, sys\n"
        "from funasr_beam.model.recognizers.own_process.owner import OwnProcessRecognizer\n"
        "from funasr_beam.model.stage_clock import StageClock\n"
        "from tests import own_process_doubles as doubles\n"
        "clock = StageClock()\n"
        "OwnProcessRecognizer(functools.partial(getattr(doubles, sys.argv[1]), clock, sys.argv[2]), clock, 'cpu')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    found = {**os.environ, "PYTHONPATH": import_path()}
    command = [sys.executable, "-c", script, load, str(tmp_path)]
    subprocess.run(command, check=False, timeout=120, env=found)
    (pid,) = (int(path.name) for path in tmp_path.iterdir())
    deadline = time.monotonic() + 30
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_alive(pid)


def test_it_ends_when_nobody_needs_it():
    clock = StageClock()
    recognizer = OwnProcessRecognizer(functools.partial(doubles.load, clock), clock, "cpu")
    pid = recognizer.pid
    del recognizer
    assert not is_alive(pid)


def test_a_request_that_cannot_be_sent_harms_no_other(start):
    recognizer = start()
    with pytest.raises((TypeError, AttributeError)):
        recognizer.recognize([utterance(), lambda: None])
    assert texts(recognizer.recognize([utterance()])) == ["800"]


def test_without_its_process_nobody_waits(start):
    recognizer = start()
    recognizer.close()
    with pytest.raises(ProcessDiedError):
        recognizer._child.ask([utterance()])
