import pytest

from funasr_beam.model.audio.layout import ChannelEvidence
from funasr_beam.model.commits import CommittedUnits
from funasr_beam.model.errors import Cause
from funasr_beam.model.itn import FinalWord
from funasr_beam.model.records import Failure, MediaInfo, SpeechInterval
from funasr_beam.model.results import SegmentResult, SpanResult, StageSeconds, UnitResult
from funasr_beam.model.storage import Folder

WORD = FinalWord("$25", 0.8, 1.95, 0.9, 0, 3)
SPAN = SpanResult(
    "s1",
    "r1",
    0,
    0.0,
    10.0,
    MediaInfo("mp3", "mp3float", 44_100, 2, None),
    (
        SegmentResult(
            0, 0, 0.5, 2.0, "$25", "twenty five dollars", "en", (WORD,), "ctc", -0.1, 0.9, "stop", 4, 20.5, ("x",)
        ),
    ),
    (SpeechInterval(1, 0.5, 1.9),),
    ChannelEvidence(400, (1.0, 2.0), (1.0, 0.5)),
    (Failure("decode", Cause.DAMAGED, "3 packets"),),
    None,
    StageSeconds(1.0, 0.5, 2.0, 0.25),
)
FAILED = SpanResult("s2", "r2", 0, 0.0, 0.0, SPAN.media, failure=Failure("decode", Cause.DECODE_TIMEOUT, "hung"))


@pytest.fixture
def committed(tmp_path):
    return CommittedUnits(Folder(str(tmp_path)), "abc")


def test_a_committed_unit_gives_back_the_very_same_results(committed):
    committed.commit(UnitResult("u", (SPAN, FAILED), 12.0))
    assert list(committed.spans("u")) == [SPAN, FAILED]
    assert committed.span_ids("u") == ["s1", "s2"]
    assert committed.names() == ["u"]
    assert committed.has("u")


def test_the_summary_needs_only_the_footer(committed):
    committed.commit(UnitResult("u", (SPAN, FAILED), 12.0))
    summary = committed.summary("u")
    assert (summary.audio_s, summary.padded_s) == (10.0, 12.0)
    assert (summary.recordings, summary.failed_recordings) == (("r1", "r2"), ("r2",))


def test_units_of_another_configuration_are_not_seen(committed):
    committed.commit(UnitResult("u", (SPAN,)))
    assert CommittedUnits(committed.output, "other").names() == []


def test_a_commit_leaves_no_draft_behind(committed, tmp_path):
    committed.commit(UnitResult("u", (SPAN,)))
    assert list((tmp_path / "_work/drafts").iterdir()) == []


def test_unfinished_files_are_no_units(committed, tmp_path):
    folder = tmp_path / committed.folder
    folder.mkdir(parents=True)
    (folder / "half.parquet.tmp").write_bytes(b"PAR1")
    assert committed.names() == []
