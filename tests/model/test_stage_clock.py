import pickle
import threading
import time

import pytest

from funasr_beam.model.recognizers.base import RecognizerSettings
from funasr_beam.model.stage_clock import StageClock, StageTime


def test_an_inner_stage_is_not_counted_twice():
    clock = StageClock()
    began = time.perf_counter()
    with clock.measure("outer"):
        time.sleep(0.01)
        with clock.measure("inner"):
            time.sleep(0.03)
    took_s = time.perf_counter() - began

    seconds = clock.seconds()
    assert seconds["inner"] >= 0.03
    assert seconds["outer"] >= 0.01
    assert sum(seconds.values()) <= took_s


def test_a_stage_inside_itself_is_counted_once():
    clock = StageClock()
    began = time.perf_counter()
    with clock.measure("stage"), clock.measure("stage"):
        time.sleep(0.02)
    assert clock.seconds()["stage"] <= time.perf_counter() - began
    assert clock.read()["stage"].count == 2


def test_threads_add_up_and_do_not_nest_in_each_other():
    clock = StageClock()

    def work():
        for _ in range(200):
            with clock.measure("work"):
                pass

    with clock.measure("waiting"):
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert clock.read()["work"].count == 800
    assert clock.read()["waiting"].count == 1


def test_a_failed_stage_is_charged_as_well():
    clock = StageClock()
    with pytest.raises(RuntimeError), clock.measure("stage"):
        raise RuntimeError
    with clock.measure("after"):
        pass
    assert clock.read()["stage"].count == clock.read()["after"].count == 1


def test_a_device_is_waited_for_at_each_border():
    waits = []
    clock = StageClock(lambda: waits.append("wait"))
    with clock.measure("outer"), clock.measure("inner"):
        pass
    assert len(waits) == 4


def test_what_another_process_measured_is_not_charged_to_the_stage_that_waited_for_it():
    now = iter(range(100))
    clock, other = StageClock(now=lambda: next(now)), StageClock(now=lambda: next(now))
    with other.measure("encode"):
        pass
    taken = other.take()
    assert not other.read()
    with clock.measure("wait"), clock.measure("ask"):
        clock.merge(taken)
        clock.merge({"encode": StageTime(1.0, 2)})
    clock.merge(taken)
    assert clock.read() == {"wait": StageTime(2.0, 1), "ask": StageTime(-1.0, 1), "encode": StageTime(3.0, 4)}


def test_settings_with_a_clock_can_be_sent_to_a_worker_where_it_starts_at_zero():
    clock = StageClock()
    with clock.measure("stage"):
        pass
    arrived = pickle.loads(pickle.dumps(RecognizerSettings(clock=clock)))
    assert arrived.clock.read() == {}
    assert RecognizerSettings() == RecognizerSettings()
    assert hash(RecognizerSettings(clock=clock)) == hash(RecognizerSettings())


def test_after_a_reset_it_stands_at_zero():
    clock = StageClock()
    with clock.measure("stage"):
        pass
    clock.reset()
    assert clock.read() == {}
