from hypothesis import given
from hypothesis import strategies as st

from funasr_beam.model.recognizers.decoding.scheduler import Row, SlotScheduler

SIZES = st.lists(st.tuples(st.integers(1, 50), st.integers(0, 50)), min_size=1, max_size=30)


@given(SIZES, st.integers(1, 8), st.integers(1, 8), st.integers(1, 200), st.data())
def test_everybody_sits_once_and_no_group_is_larger_than_was_allowed(sizes, count, min_free, max_tokens, data):
    rows = [Row(place, prompt, budget) for place, (prompt, budget) in enumerate(sizes)]
    scheduler = SlotScheduler(rows, count)
    seen = []
    while not scheduler.is_empty:
        while admitted := scheduler.admit(min(min_free, count), max_tokens):
            seen += [row.place for row in admitted.values()]
            padded = len(admitted) * max(row.prompt for row in admitted.values())
            assert padded <= max_tokens or len(admitted) == 1
        assert scheduler.running
        for slot in data.draw(st.sets(st.sampled_from(list(scheduler.running)), min_size=1)):
            scheduler.release(slot)
    assert sorted(seen) == list(range(len(rows)))


@given(SIZES, st.data())
def test_moving_together_keeps_everybody_and_moves_nobody_twice(sizes, data):
    scheduler = SlotScheduler([Row(place, *size) for place, size in enumerate(sizes)], len(sizes))
    scheduler.admit(1, 10_000)
    for slot in data.draw(st.sets(st.sampled_from(range(len(sizes))), max_size=len(sizes) - 1)):
        scheduler.release(slot)
    before = dict(scheduler.running)
    moves = dict(scheduler.compact(len(before)))
    assert scheduler.used == len(before)
    assert scheduler.running == {moves.get(slot, slot): row for slot, row in before.items()}
    assert not set(moves) & set(moves.values())


def test_the_longest_come_first():
    scheduler = SlotScheduler([Row(0, 3, 1), Row(1, 30, 1), Row(2, 10, 10)], 2)
    assert [row.place for row in scheduler.admit(1, 1_000).values()] == [1, 2]
    assert scheduler.waiting == 1


def test_fewer_free_slots_than_wanted_wait_for_more_unless_fewer_wait():
    scheduler = SlotScheduler([Row(place, 4, 4) for place in range(5)], 4)
    assert len(scheduler.admit(4, 1_000)) == 4
    scheduler.release(2)
    assert list(scheduler.admit(4, 1_000)) == [2]  # only one waits


def test_a_row_reads_no_further_than_its_budget_allows():
    row = Row(0, 5, 3, position=5)
    for _ in range(9):
        row.advance()
    assert row.position == row.needs - 1
