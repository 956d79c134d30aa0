"""Units spread over devices."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from funasr_beam.model.transcriber_pool import Member, TranscriberPool


class Busy:
    """Holds what it is given until it is let go."""

    def __init__(self):
        self.units, self.go = [], threading.Event()

    def transcribe(self, unit):
        self.units.append(unit)
        self.go.wait(10)
        if unit == "bad":
            raise ValueError(unit)
        return f"{unit} done"


def pool_of(count):
    members = [Member("cpu", Busy()) for _ in range(count)]
    return TranscriberPool(members), [member.transcriber for member in members]


def test_units_at_once_are_spread_evenly():
    pool, busy = pool_of(3)
    with ThreadPoolExecutor(6) as threads:
        waiting = [threads.submit(pool.transcribe, f"u{number}") for number in range(6)]
        while sum(len(one.units) for one in busy) < 6:
            pass
        assert [len(one.units) for one in busy] == [2, 2, 2]
        for one in busy:
            one.go.set()
        assert [future.result() for future in waiting] == [f"u{number} done" for number in range(6)]


def test_who_is_done_gets_the_next():
    pool, (first, second) = pool_of(2)
    second.go.set()
    with ThreadPoolExecutor(1) as threads:
        held = threads.submit(pool.transcribe, "long")
        while not first.units:
            pass
        for number in range(3):
            pool.transcribe(f"u{number}")
        assert (first.units, second.units) == (["long"], ["u0", "u1", "u2"])
        first.go.set()
        held.result()


def test_a_failure_leaves_its_member_free():
    pool, (first, _) = pool_of(2)
    first.go.set()
    with pytest.raises(ValueError, match="bad"):
        pool.transcribe("bad")
    assert [member.at_work for member in pool.members] == [0, 0]
