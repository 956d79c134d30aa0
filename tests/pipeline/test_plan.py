from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from funasr_beam.model.commits import CommittedUnits
from funasr_beam.model.errors import Cause, RecordingError
from funasr_beam.model.listing import Listed
from funasr_beam.model.plan_files import earlier_plans, next_plan, read_unit, unit_places
from funasr_beam.model.planning import PlanRules
from funasr_beam.model.records import Failure, MediaInfo, Recording
from funasr_beam.model.results import SpanResult, UnitResult
from funasr_beam.model.span_index import SpanIndex
from funasr_beam.model.storage import Folder
from funasr_beam.pipeline.config import RunnerConfig
from funasr_beam.pipeline.config_sources import load_config
from funasr_beam.pipeline.done import read_done
from funasr_beam.pipeline.engines.local import LocalEngine
from funasr_beam.pipeline.plan import PlanSettings, make_plan, unit_length_s
from funasr_beam.pipeline.progress import UnitWatch
from funasr_beam.pipeline.run_folder import Run, save_run
from funasr_beam.pipeline.status import read_status

KEY = "k"
SETTINGS = PlanSettings(PlanRules(600.0, KEY), unit_s=1000.0, workers=1, probes=2)


def recordings(durations):
    """Listed recordings, and the probe that knows how long they are."""
    listed = [Listed(Recording(f"r{n}", f"file:///{n}.wav", "1", 10)) for n in range(len(durations))]
    lengths = {item.recording.id: duration for item, duration in zip(listed, durations, strict=True)}

    def probe(recording):
        if lengths[recording.id] is None:
            raise RecordingError(Cause.NOT_MEDIA, "text")
        return MediaInfo("wav", "pcm", 8000, 1, lengths[recording.id])

    return listed, probe


def plan_of(output, listed, probe, plan_settings=SETTINGS):
    index = SpanIndex(CommittedUnits(output, KEY), earlier_plans(output, KEY))
    return make_plan(listed, read_done(output, "passing"), index, plan_settings, next_plan(output, KEY), probe)


def units_of(plan):
    files = plan.files
    return [read_unit(files.output, place) for file in files.unit_files() for place in unit_places(files.output, file)]


def commit(output, unit):
    spans = [
        SpanResult(span.id, span.recording.id, span.index, span.start_s, span.start_s + 1, span.media)
        for span in unit.spans
    ]
    CommittedUnits(output, KEY).commit(UnitResult(unit.name, tuple(spans)))


@pytest.fixture
def output(tmp_path):
    return Folder(str(tmp_path))


@given(st.lists(st.one_of(st.none(), st.floats(1.0, 4000.0)), max_size=12), st.data())
@settings(max_examples=25, deadline=None)
def test_every_span_is_planned_once_however_often_the_run_was_stopped(tmp_path_factory, durations, data):
    output = Folder(str(tmp_path_factory.mktemp("plan")))
    listed, probe = recordings(durations)
    first = plan_of(output, listed, probe)
    everything = {span.id for recording in first.recordings() for span in recording.spans}
    done = data.draw(
        st.lists(st.sampled_from(units_of(first)), unique_by=lambda unit: unit.name)
        if durations and units_of(first)
        else st.just([])
    )
    for unit in done:
        commit(output, unit)
    again = plan_of(output, listed, probe, replace(SETTINGS, unit_s=300.0))
    planned = [span.id for unit in units_of(again) for span in unit.spans]
    committed = {span.id for unit in done for span in unit.spans}
    assert len(planned) == len(set(planned))
    assert set(planned) == everything - committed
    assert again.totals.recordings == len(durations)
    assert again.totals.failed == durations.count(None)


def test_a_recording_that_cannot_be_probed_is_in_the_plan_with_its_failure(output):
    plan = plan_of(output, *recordings([None, 10.0]))
    failed, fine = plan.recordings()
    assert failed.failure == Failure("plan", Cause.NOT_MEDIA, "text")
    assert len(fine.spans) == 1


def test_a_plan_that_was_not_finished_is_none(output):
    listed, probe = recordings([10.0])
    plan_of(output, listed, probe)
    output.remove(f"{next_plan(output, KEY).folder[:-6]}000001/plan.json")
    assert earlier_plans(output, KEY) == []
    assert next_plan(output, KEY).folder.endswith("000002")


def test_a_run_that_goes_on_knows_what_share_of_its_audio_was_missing(output):
    listed, probe = recordings([1000.0, 600.0, 400.0, None])
    first = plan_of(output, listed, probe)
    assert first.totals.missing_share == 1.0
    done = units_of(first)[0]
    commit(output, done)
    expected = 1 - sum(span.end_s - span.start_s for span in done.spans) / 2000
    assert plan_of(output, listed, probe).totals.missing_share == pytest.approx(expected)


def test_progress_counts_recordings_whose_last_span_is_committed(output):
    plan = plan_of(output, *recordings([1500.0, 700.0, 100.0, None]))
    watch = UnitWatch(CommittedUnits(output, KEY), plan, clock=lambda: 0.0)
    assert (watch.look().recordings, watch.look().recordings_total) == (1, 4)
    units = units_of(plan)
    for unit in units:
        commit(output, unit)
    snapshot = watch.look()
    assert (snapshot.recordings, snapshot.failed) == (4, 1)


def small_files(count):
    """Listed recordings of a second each, 16 kHz WAV, that are too small to be opened: by their size, 8 s each."""
    return [Listed(Recording(f"r{n}", f"file:///{n}.wav", "1", 32_000)) for n in range(count)]


UNOPENED = replace(SETTINGS, rules=replace(SETTINGS.rules, probe_above_bytes=10**6), unit_s=30.0)


def test_how_long_files_are_that_nobody_opened_is_learnt_from_those_that_are_done(output):
    plan = plan_of(output, small_files(10), None, UNOPENED)
    watch = UnitWatch(CommittedUnits(output, KEY), plan, clock=lambda: 0.0)
    assert watch.look().total_s == 0.0  # nobody knows
    first, *others = units_of(plan)
    commit(output, first)
    assert watch.look().total_s == pytest.approx(10.0)
    for unit in others:
        commit(output, unit)
    assert watch.look().total_s == watch.look().audio_s == pytest.approx(10.0)


def test_what_failed_says_nothing_of_how_long_the_others_are(output):
    plan = plan_of(output, *recordings([1000.0, 1000.0, 1000.0]))
    watch = UnitWatch(CommittedUnits(output, KEY), plan, clock=lambda: 0.0)
    assert watch.look().total_s == 3000.0
    commit(output, units_of(plan)[0])
    left_s = 3000.0 - sum(span.end_s or 1000.0 - span.start_s for span in units_of(plan)[0].spans)
    assert watch.look().total_s == watch.look().audio_s + left_s


def test_the_status_of_a_run_that_goes_on_tells_the_hours_that_progress_tells(output):
    save_run(output, Run("run1", KEY, "2026-01-01T00:00:00+00:00"))
    plan = plan_of(output, small_files(10), None, UNOPENED)
    for unit in units_of(plan)[:2]:
        commit(output, unit)
    (run,) = read_status(output).unfinished
    snapshot = UnitWatch(CommittedUnits(output, KEY), plan, clock=lambda: 0.0).look()
    assert (run.audio_done_s, run.audio_s) == (pytest.approx(snapshot.audio_s), pytest.approx(snapshot.total_s))


@pytest.mark.parametrize(
    ("told", "has_gpus", "length_s"),
    [
        ({}, False, 1_800.0),
        ({}, True, 7_200.0),
        ({"recognition.device": "cuda"}, False, 7_200.0),
        ({"recognition.device": "cpu"}, True, 1_800.0),
        ({"model": "https://host/v1#tiny"}, True, 1_800.0),
        ({"plan.unit_s": 60.0}, True, 60.0),
    ],
)
def test_units_are_longer_for_gpus(told, has_gpus, length_s):
    engine = LocalEngine(RunnerConfig())
    engine.has_gpus = has_gpus
    config = load_config(None, [], {"input": ("in",), "output": "out"} | told)
    assert unit_length_s(config, engine) == length_s
