"""What a thread is charged for its turns."""

import threading
import time
from collections import Counter, namedtuple

import pytest

from funasr_beam.model import turns
from funasr_beam.model.once import once
from funasr_beam.model.turns import Places, Turn, Work

HELD_S = 5.0
Spent = namedtuple("Spent", "worked_s gpu_s")


class Clock:
    """A clock that stands still until a test lets time pass, and knows how often each thread has looked at it."""

    def __init__(self):
        self.now_s = 0.0
        self.looks = Counter()

    def perf_counter(self):
        now_s = self.now_s
        self.looks[threading.get_ident()] += 1
        return now_s


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(turns, "time", clock)
    return clock


def spent_while_waiting(turn, clock):
    """What a thread is charged that waits for another one's turn and then has as long a one itself."""
    found = []

    def wait_and_work():
        work = Work()
        with turn:
            clock.now_s += HELD_S
        found.append(Spent(work.worked_s, work.gpu_s))

    waiter = threading.Thread(target=wait_and_work)
    with turn:
        waiter.start()
        while clock.looks[waiter.ident] < 2:  # as it begins its work, and as it begins to wait
            time.sleep(0.001)
        clock.now_s += HELD_S
    waiter.join()
    return found[0]


def test_who_waits_is_not_charged_for_the_gpu_that_another_one_has(clock):
    work, turn = Work(), Turn(on_gpu=True)
    assert spent_while_waiting(turn, clock) == Spent(worked_s=HELD_S, gpu_s=HELD_S)
    assert work.gpu_s == HELD_S


def test_a_cpu_is_waited_for_but_is_no_gpu(clock):
    work, turn = Work(), Turn(on_gpu=False)
    assert spent_while_waiting(turn, clock) == Spent(worked_s=HELD_S, gpu_s=0.0)
    assert work.gpu_s == 0.0


def test_who_waits_for_a_place_is_not_charged_either(clock):
    assert spent_while_waiting(Places(1), clock) == Spent(worked_s=HELD_S, gpu_s=0.0)


def test_there_are_as_many_places_as_were_said():
    places = Places(2)
    with places, places:
        pass
    with pytest.raises(ValueError, match="bad"), places:
        raise ValueError("bad")
    with places, places:
        pass


def test_a_second_piece_of_work_begins_at_nothing(clock):
    turn = Turn(on_gpu=True)
    spent_while_waiting(turn, clock)
    work = Work()
    assert (work.worked_s, work.gpu_s) == (0.0, 0.0)


def test_a_turn_that_fails_is_over():
    turn = Turn(on_gpu=True)
    with pytest.raises(ValueError, match="bad"), turn:
        raise ValueError("bad")
    with turn:
        pass


def test_what_a_process_loads_once_is_not_charged_to_who_needs_it_first(clock):
    @once
    def load():
        clock.now_s += HELD_S
        return "loaded"

    work = Work()
    assert [load(), load()] == ["loaded"] * 2
    assert work.worked_s == 0.0
