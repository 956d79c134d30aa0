from dataclasses import replace

import pytest

from funasr_beam.model.commits import CommittedUnits
from funasr_beam.model.errors import RunError
from funasr_beam.model.plan_files import PlanFiles
from funasr_beam.model.records import Unit
from funasr_beam.model.results import UnitResult
from funasr_beam.model.span_index import SpanIndex
from funasr_beam.model.storage import Folder
from tests.model.test_commits import FAILED, SPAN
from tests.model.test_plan_files import planned


@pytest.fixture
def committed(tmp_path):
    return CommittedUnits(Folder(str(tmp_path)), "abc")


def test_spans_are_found_whatever_unit_they_were_committed_in(committed):
    committed.commit(UnitResult("u1", (SPAN,)))
    committed.commit(UnitResult("u2", (FAILED, replace(SPAN, span_id="s3"))))
    index = SpanIndex(committed)
    assert [span_id in index for span_id in ("s1", "s2", "s3", "s4", "")] == [True, True, True, False, False]
    assert index.result("s3").segments == SPAN.segments
    with pytest.raises(RunError, match="run the same command again"):
        index.result("s4")


def test_a_unit_of_a_known_plan_need_not_be_opened_to_know_its_spans(committed, monkeypatch):
    spans = planned(durations=[1500.0])[0].spans
    plan = PlanFiles(committed.output, "_work/plans/abc/000001")
    plan.write_units([Unit("u1", spans[:1]), Unit("u2", spans[1:])])
    committed.commit(UnitResult("u1", (replace(SPAN, span_id=spans[0].id),)))
    monkeypatch.setattr(CommittedUnits, "span_ids", lambda *_: pytest.fail("was opened"))
    index = SpanIndex(committed, [plan])
    assert [span.id in index for span in spans] == [True, *[False] * (len(spans) - 1)]
    assert index.result(spans[0].id).segments == SPAN.segments


def test_nothing_committed_is_an_empty_index(committed):
    assert "s1" not in SpanIndex(committed)
