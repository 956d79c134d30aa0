from dataclasses import replace

import pytest

from funasr_beam.model.audio.layout import ChannelEvidence
from funasr_beam.model.errors import Cause
from funasr_beam.model.outcomes import judge
from funasr_beam.model.planning import PlannedRecording
from funasr_beam.model.records import Failure, MediaInfo, Recording, SpeechInterval
from funasr_beam.model.results import SegmentResult, SpanResult

RECORDING = Recording("r", "file:///a.wav", "1", 10)
MEDIA = MediaInfo("wav", "pcm_s16le", 16_000, 1, 10.0)
PLANNED = PlannedRecording(RECORDING, "c")
HELLO = SegmentResult(0, 0, 1.0, 2.0, "hello", "hello")
LOST = replace(HELLO, text="", text_raw="", failure=Failure("recognise", Cause.OUT_OF_MEMORY, "too big"))
SPAN = SpanResult("s", "r", 0, 0.0, 10.0, MEDIA, (HELLO,), (SpeechInterval(0, 1.0, 2.0),))
UNREADABLE = replace(SPAN, segments=(), speech=(), failure=Failure("decode", Cause.DECODE_TIMEOUT, "hung"))
TRUNCATED = Failure("decode", Cause.TRUNCATED, "ends at 10 s")


def test_a_transcript_is_ok():
    outcome = judge(PLANNED, [SPAN])
    assert (outcome.status, outcome.failure, outcome.text) == ("ok", None, "hello")


def test_silence_is_no_speech_and_no_failure():
    outcome = judge(PLANNED, [replace(SPAN, segments=(), speech=())])
    assert (outcome.status, outcome.failure, outcome.text) == ("no_speech", None, "")


@pytest.mark.parametrize(
    ("spans", "status", "cause"),
    [
        ([UNREADABLE], "failed", Cause.DECODE_TIMEOUT),
        ([SPAN, UNREADABLE], "partial", Cause.DECODE_TIMEOUT),
        ([replace(SPAN, segments=(LOST,))], "failed", Cause.OUT_OF_MEMORY),
        ([replace(SPAN, segments=(HELLO, LOST))], "partial", Cause.OUT_OF_MEMORY),
        ([replace(SPAN, notes=(TRUNCATED,))], "partial", Cause.TRUNCATED),
        ([replace(SPAN, segments=(), notes=(TRUNCATED,))], "partial", Cause.TRUNCATED),
        ([replace(SPAN, segments=(), end_s=0.01)], "failed", Cause.TOO_SHORT),
    ],
)
def test_a_loss_never_looks_like_silence_or_success(spans, status, cause):
    outcome = judge(PLANNED, spans)
    assert (outcome.status, outcome.failure.cause) == (status, cause)


def test_a_declared_duration_is_told_only_where_it_says_something_else():
    cut = replace(SPAN, end_s=6.0, notes=(TRUNCATED,))
    assert judge(PLANNED, [cut]).failure.message.endswith("6.0 s decoded of 10.0 s declared.")
    known = replace(cut, media=replace(MEDIA, duration_s=6.0))  # of a header that lies, the bytes are
    assert judge(PLANNED, [known]).failure.message.endswith("kept. 6.0 s decoded.")


def test_what_was_left_out_on_purpose_is_skipped_and_what_failed_in_the_plan_is_failed():
    excluded = Failure("plan", Cause.EXCLUDED, "a rule")
    assert judge(replace(PLANNED, failure=excluded, skipped=True), []).status == "skipped"
    assert judge(replace(PLANNED, failure=Failure("plan", Cause.NOT_MEDIA, "text")), []).status == "failed"


def test_texts_are_joined_by_time_with_spaces_only_where_the_script_has_them():
    later = replace(HELLO, start_s=5.0, end_s=6.0, text="手机")
    last = replace(HELLO, start_s=7.0, end_s=8.0, text="号码")
    assert judge(PLANNED, [replace(SPAN, segments=(last, HELLO, later))]).text == "hello 手机号码"


def test_the_same_damage_in_many_spans_is_told_once():
    one = judge(PLANNED, [replace(SPAN, notes=(TRUNCATED,))])
    two = judge(PLANNED, [replace(SPAN, notes=(TRUNCATED,)), replace(SPAN, notes=(TRUNCATED,))])
    assert one.failure == two.failure


def test_a_span_behind_the_end_does_not_lengthen_the_recording():
    assert judge(PLANNED, [SPAN, replace(SPAN, start_s=600.0, end_s=600.0, segments=())]).duration_s == 10.0


def test_the_layout_comes_from_all_spans():
    same = ChannelEvidence(400, (1e9, 1e9), (1e9, 1e9))
    apart = ChannelEvidence(400, (1e9, 1e9), (1e9, 0.0))
    assert judge(PLANNED, [replace(SPAN, layout=same)]).layout == "dual_mono"
    assert judge(PLANNED, [replace(SPAN, layout=same), replace(SPAN, layout=apart)]).layout == "stereo"
