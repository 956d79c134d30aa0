"""Findings of the grammar are checked against the words they stand for."""

import pytest

from funasr_beam.model.itn_rules import Candidate, Rewrite
from funasr_beam.model.itn_rules.english import english_rewrites


def rewrites(said, *found):
    return english_rewrites(said.split(), list(found))


def test_a_finding_that_loses_a_digit_is_refused():
    assert rewrites("sixty five dollars", Candidate(0, 3, "money", "$60")) == []
    assert rewrites("sixty five dollars", Candidate(0, 3, "money", "$65")) == [Rewrite(0, 3, "$65")]


def test_the_time_is_read_from_the_words_not_from_the_finding():
    assert rewrites("three forty five p m", Candidate(0, 5, "time", "03:15 p.m.")) == [Rewrite(0, 5, "03:45 p.m.")]


@pytest.mark.parametrize(
    ("said", "clock"),
    [
        ("half past twelve", "12:30"),
        ("quarter to one", "12:45"),
        ("ten past nine", "09:10"),
        ("twenty five to six", "05:35"),
        ("seven o'clock", "07:00"),
        ("six oh five am", "06:05 a.m."),
    ],
)
def test_times_of_day_are_read(said, clock):
    num_words = len(said.split())
    assert rewrites(said, Candidate(0, num_words, "time", "00:00")) == [Rewrite(0, num_words, clock)]


def test_a_run_of_numbers_is_rewritten_whole_or_not_at_all():
    assert rewrites("eight hundred five five five", Candidate(0, 3, "cardinal", "805")) == []


def test_digits_with_repeats_are_written_one_by_one_without_a_finding():
    assert rewrites("call oh seven double five triple two") == [Rewrite(1, 7, "0755222")]


def test_the_unit_of_a_measure_stays():
    assert rewrites("ten seconds", Candidate(0, 2, "measure", "10 s")) == [Rewrite(0, 1, "10")]
    assert rewrites("ten percent", Candidate(0, 2, "measure", "10 %")) == [Rewrite(0, 2, "10%")]


def test_findings_that_cannot_be_checked_are_refused():
    assert rewrites("one two at example dot com", Candidate(0, 6, "electronic", "12@example.com")) == []
