"""Errors and quality of a recording as columns."""

from funasr_beam.model.errors import Cause
from funasr_beam.model.outcomes import Outcome
from funasr_beam.model.planning import PlannedRecording
from funasr_beam.model.records import Failure, MediaInfo, Recording
from funasr_beam.model.results import SegmentResult, SpanResult
from funasr_beam.model.scores import error_columns, quality_columns, score_outcome

MEDIA = MediaInfo("wav", "pcm_s16le", 16_000, 1, 10.0)


def outcome(reference, *segments, status="ok"):
    recording = Recording("r", "r.wav", "1", 1, reference=reference)
    planned = PlannedRecording(recording, "c", ())
    return Outcome(planned, status, None, (SpanResult("s", "r", 0, 0.0, 10.0, MEDIA, tuple(segments)),))


def test_a_reference_in_words_is_compared_with_the_words_and_one_in_digits_with_the_digits():
    segment = SegmentResult(0, 0, 0.0, 2.0, "$25 please", "twenty five dollars please")
    spoken = score_outcome(outcome("Twenty-five dollars, please.", segment), "en")
    written = score_outcome(outcome("$25, please", segment), "en")
    assert (spoken.form, spoken.errors.words.rate) == ("raw", 0.0)
    assert (written.form, written.errors.words.rate) == ("final", 0.0)


def test_a_failed_recording_is_all_deletions():
    columns = error_columns(score_outcome(outcome("three words here", status="failed"), "en"))
    assert columns["wer"] == 1.0
    assert columns["word_errors"] == {"hits": 0, "substitutions": 0, "deletions": 3, "insertions": 0}
    assert columns["normalizer"] == "english-1"


def test_without_a_reference_or_when_left_out_on_purpose_there_is_no_score():
    assert score_outcome(outcome(None), "en") is None
    assert score_outcome(outcome("text", status="skipped"), "en") is None
    assert set(error_columns(None).values()) == {None}


def test_means_are_weighted_with_lengths_and_leave_out_what_is_not_known():
    columns = quality_columns(
        [
            SegmentResult(0, 0, 0.0, 3.0, "abc", "abc", confidence=0.5, snr_db=10.0),
            SegmentResult(0, 1, 3.0, 4.0, "d", "d", confidence=0.9),
            SegmentResult(0, 2, 5.0, 9.0, failure=Failure("recognise", Cause.MODEL_ERROR, "no")),
        ]
    )
    known = {name: value for name, value in columns.items() if value is not None}
    assert known == {"confidence": 0.6, "chars_per_s": 1.0, "snr_db": 10.0}
