import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from funasr_beam.model.loops import is_loop
from tests.model.bad_outputs import LOOPS, SPOKEN


@pytest.mark.parametrize("name", [name for name in LOOPS if name != "exclamation of half precision"])
def test_a_recorded_loop_is_seen(name):
    assert is_loop(LOOPS[name])


def test_a_loop_without_letters_is_seen_in_its_tokens():
    assert not is_loop(LOOPS["exclamation of half precision"])
    assert is_loop(LOOPS["exclamation of half precision"], ["!"] * 200)
    assert is_loop("", ["<|", "x", "|>"] * 20)


@pytest.mark.parametrize("name", SPOKEN)
def test_what_people_say_is_no_loop(name):
    assert not is_loop(SPOKEN[name], SPOKEN[name].split())


@given(st.text("abcdefg 你好吗", min_size=8, max_size=30), st.integers(6, 20), st.text("xyz", max_size=40))
def test_six_copies_of_anything_are_a_loop_whatever_comes_before(stretch, copies, before):
    assume(stretch.replace(" ", "") and len(stretch.replace(" ", "")) * copies >= 24)
    assert is_loop(before + stretch * copies)


@given(st.text("ab 你", max_size=80), st.data())
def test_punctuation_neither_makes_nor_hides_a_loop(text, data):
    place = data.draw(st.integers(0, len(text)))
    assert is_loop(f"{text[:place]}, ... {text[place:]}") == is_loop(text)
