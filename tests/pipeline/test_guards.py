"""The guards on the demo checkpoint: what it loses on its own, defects put upon it, and sound without speech."""

import pytest

from benchmarks.guards import defective_cases, guard_input, long_cases, recordings
from benchmarks.non_speech import KINDS, count_text
from funasr_beam.model.batching import BatchLimits, recognize_all
from funasr_beam.model.recognizers.base import RecognizerSettings
from funasr_beam.model.recognizers.families import load_recognizer
from funasr_beam.model.retries import recognize_guarded

pytestmark = pytest.mark.slow


LONG, DEFECTIVE, ORDINARY = (4, 7), (8, 3), (12, 1)  # how many, and of how many sentences


@pytest.fixture(scope="module")
def demo():
    for kind in (LONG, DEFECTIVE, ORDINARY):  # before the model: espeak-ng is loaded anew for each of them
        recordings(*kind)
    return load_recognizer("demo", RecognizerSettings(device="cpu"))


def test_passages_that_the_checkpoint_loses_in_long_utterances_are_found_again(demo):
    cases = list(long_cases(demo, LONG[0]))
    assert all(case.error_before > 30 and case.is_flagged for case in cases)
    assert sum(case.is_repaired for case in cases) >= 3


def test_loops_and_truncations_are_all_flagged_and_most_of_them_repaired(demo):
    cases = list(defective_cases(demo, DEFECTIVE[0]))
    assert all(case.is_flagged for case in cases)
    assert sum(case.is_repaired for case in cases) >= 7


def test_good_segments_are_left_alone(demo):
    inputs = [guard_input(recording) for recording in recordings(*ORDINARY)]
    plain = recognize_all(demo, [item.utterance for item in inputs], BatchLimits())
    guarded = recognize_guarded(demo, inputs, BatchLimits())
    assert [item.outcome for item in guarded] == plain
    assert not any(item.flags for item in guarded)


def test_no_text_without_a_flag_where_nobody_speaks(tmp_path):
    for kinds in count_text(tmp_path, 36).values():
        assert sum(kinds[kind].clips for kind in KINDS) == 36
        assert sum(kinds[kind].with_unflagged_text for kind in KINDS) == 0
