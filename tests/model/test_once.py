"""Threads that begin together load a thing once between them."""

import threading
from concurrent.futures import ThreadPoolExecutor

from funasr_beam.model.once import once


def test_threads_that_begin_together_share_one_load_of_each_thing():
    loads, begin = [], threading.Barrier(4)

    @once
    def load(name):
        loads.append(name)
        return [name]

    def ask(_):
        begin.wait()
        return load("a")

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(ask, range(4)))
    assert all(one is found[0] for one in found)
    assert load("b") == ["b"]
    assert loads == ["a", "b"]
