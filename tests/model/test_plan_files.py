from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from funasr_beam.model.errors import Cause, RunError
from funasr_beam.model.listing import Listed
from funasr_beam.model.plan_files import PlanFiles, PlanTotals, UnitPlace, read_unit, unit_places
from funasr_beam.model.planning import PlanRules, pack_units, plan_recordings
from funasr_beam.model.records import Failure, MediaInfo, RecognitionOptions, Recording
from funasr_beam.model.storage import Folder

RECORDING = Recording("r", "file:///a.wav", "1-2", 10)
TOLD = RecognitionOptions("zh", ("开放", "b"), "context")


def planned(durations=(), listed=()):
    """Recordings of these lengths as a plan has them, then others as they are listed."""
    items = [Listed(replace(RECORDING, id=f"r{number}", size_bytes=1 + number)) for number in range(len(durations))]
    media = {item.recording.id: length for item, length in zip(items, durations, strict=True)}

    def probe(recording):
        return MediaInfo("wav", "pcm", 8000, 1, media[recording.id])

    return list(plan_recordings([*items, *listed], probe, PlanRules(600.0, "hash")))


def files(tmp_path):
    return PlanFiles(Folder(str(tmp_path)), "_work/plans/x/000001")


def test_recordings_come_back_as_they_were_planned(tmp_path):
    rich = replace(RECORDING, options=TOLD, reference="hi", metadata={"agent": "Jo"}, size_bytes=0)
    failed = Listed(rich, Failure("plan", Cause.NOT_FOUND, "gone"), tries_before=3)
    skipped = Listed(RECORDING, Failure("plan", Cause.EXCLUDED, "rule"), skipped=True)
    expected = planned([10.0, 2000.0, 5000.0], [Listed(rich), failed, skipped])
    plan = files(tmp_path)
    assert list(plan.write_recordings(expected)) == expected
    assert list(plan.recordings(600.0)) == expected


@given(st.lists(st.floats(1.0, 3000.0), min_size=1, max_size=40), st.floats(30.0, 4000.0))
@settings(max_examples=20, deadline=None)
def test_every_unit_is_read_by_its_place(tmp_path_factory, durations, unit_s):
    units = list(pack_units((span for one in planned(durations) for span in one.spans), unit_s))
    plan = files(tmp_path_factory.mktemp("plan"))
    assert plan.write_units(units) == len(units)
    places = [place for file in plan.unit_files() for place in unit_places(plan.output, file)]
    assert [read_unit(plan.output, place) for place in places] == units
    facts = list(plan.unit_facts())
    assert [fact.name for fact in facts] == [unit.name for unit in units]
    assert sum(fact.recordings for fact in facts) == len(durations)


def test_many_units_are_in_several_files(tmp_path):
    units = list(pack_units((span for one in planned([100.0] * 1100) for span in one.spans), 30.0))
    plan = files(tmp_path)
    plan.write_units(units)
    assert len(plan.unit_files()) == 3
    place = list(unit_places(plan.output, plan.unit_files()[2]))[-1]
    assert read_unit(plan.output, place) == units[-1]


def test_totals_are_read_back(tmp_path):
    plan = files(tmp_path)
    plan.finish(PlanTotals(600.0, 3, units=2))
    assert plan.totals == PlanTotals(600.0, 3, units=2)


def test_a_plan_that_is_gone_is_named(tmp_path):
    output, file = Folder(str(tmp_path)), "plan/units-00000.parquet"
    with pytest.raises(RunError, match=r"units-00000\.parquet: was removed while a run was at work"):
        read_unit(output, UnitPlace(file, 0))
    with pytest.raises(RunError, match="run the command again"):
        list(unit_places(output, file))
