"""Error counts: equal to jiwer and meeteval, and lawful."""

import jiwer
import meeteval
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from funasr_beam.model.evaluation.errors import (
    ErrorCounts,
    character_tokens,
    count_errors,
    differences,
    mixed_tokens,
    text_errors,
    word_tokens,
)

PAIRS = [
    ("the cat sat on the mat", "the cat sat on mat"),
    ("a b c d", "b c d e f"),
    ("one", ""),
    ("我想买 iphone 手机", "我要买 iphone手机 吗"),
    ("नमस्ते दुनिया कैसे हो", "नमस्ते दुनिया कैसा है"),
    ("same same", "same same"),
    ("left right left right", "right left right left right left"),
]
TEXTS = st.lists(st.sampled_from(["a", "b", "cd", "我", "是", "नम"]), max_size=12).map(" ".join)


@pytest.mark.parametrize(("reference", "hypothesis"), PAIRS)
def test_word_counts_are_those_of_jiwer(reference, hypothesis):
    theirs = jiwer.process_words(reference, hypothesis)
    ours = text_errors(reference, hypothesis).words
    assert ours == ErrorCounts(theirs.hits, theirs.substitutions, theirs.deletions, theirs.insertions)
    assert ours.rate == pytest.approx(theirs.wer, abs=1e-9)


@pytest.mark.parametrize(("reference", "hypothesis"), PAIRS)
def test_character_counts_are_those_of_jiwer_without_spaces(reference, hypothesis):
    theirs = jiwer.process_characters(reference.replace(" ", ""), hypothesis.replace(" ", ""))
    ours = text_errors(reference, hypothesis).characters
    assert ours == ErrorCounts(theirs.hits, theirs.substitutions, theirs.deletions, theirs.insertions)
    assert ours.rate == pytest.approx(theirs.cer, abs=1e-9)


@pytest.mark.parametrize("tokens", [word_tokens, character_tokens, mixed_tokens])
@given(reference=TEXTS, hypothesis=TEXTS)
@settings(deadline=None, max_examples=100)
def test_errors_are_those_of_meeteval(tokens, reference, hypothesis):
    left, right = tokens(reference), tokens(hypothesis)
    theirs = meeteval.wer.wer.siso.siso_word_error_rate(" ".join(left), " ".join(right))
    ours = count_errors(left, right)
    assert (ours.errors, ours.length) == (theirs.errors, theirs.length)
    if ours.rate is not None:
        assert ours.rate == pytest.approx(theirs.error_rate, abs=1e-9)


def test_the_rate_of_a_set_is_that_of_jiwer_over_all_its_pairs():
    total = sum((text_errors(*pair).words for pair in PAIRS), ErrorCounts())
    references, hypotheses = zip(*PAIRS, strict=True)
    assert total.rate == pytest.approx(jiwer.wer(list(references), list(hypotheses)), abs=1e-9)


@given(TEXTS, TEXTS)
@settings(deadline=None)
def test_differences_hold_both_texts_and_as_many_errors_as_are_counted(reference, hypothesis):
    left, right = reference.split(), hypothesis.split()
    found = differences(left, right)
    assert [token for part in found for token in part.reference] == left
    assert [token for part in found for token in part.hypothesis] == right
    errors = sum(max(len(d.reference), len(d.hypothesis)) for d in found if d.operation != "equal")
    assert errors == count_errors(left, right).errors


def test_nothing_against_a_reference_is_all_deletions():
    assert text_errors("three words here", "").words == ErrorCounts(deletions=3)


def test_an_empty_reference_has_insertions_and_no_rate():
    counts = text_errors("", "two words").words
    assert (counts.insertions, counts.rate) == (2, None)


def test_mixed_takes_chinese_by_characters_and_the_rest_by_words():
    assert mixed_tokens("我用iPhone手机 ok コーヒー 5%") == ["我", "用", "iPhone", "手", "机", "ok", *"コーヒー", "5%"]


def test_long_texts_are_counted_without_a_quadratic_memory():
    import resource

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    left = [str(number % 997) for number in range(60_000)]
    counts = count_errors(left, left[100:] + ["x"] * 50)
    assert counts.deletions + counts.substitutions >= 100
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000  # KB; the whole matrix takes 900 MB
