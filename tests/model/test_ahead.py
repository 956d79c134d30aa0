import threading
import time

from funasr_beam.model.ahead import map_ahead


def test_results_come_in_order_though_later_ones_are_ready_first():
    def slow(number):
        time.sleep(0.02 if number % 5 == 0 else 0)
        return number

    assert list(map_ahead(slow, range(40), threads=4)) == list(range(40))


def test_only_a_few_items_are_taken_ahead_of_the_reader():
    taken = 0

    def items():
        nonlocal taken
        for number in range(1000):
            taken += 1
            yield number

    results = map_ahead(lambda number: number, items(), threads=2)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    assert taken < 20


def test_what_is_not_slow_is_done_in_the_readers_own_thread():
    threads = list(map_ahead(lambda _: threading.current_thread(), range(6), 2, lambda number: number % 2 == 0))
    here = threading.current_thread()
    assert [thread is here for thread in threads] == [False, True, False, True, False, True]
