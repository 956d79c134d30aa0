from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from funasr_beam.model.errors import Cause, RecordingError
from funasr_beam.model.listing import Listed
from funasr_beam.model.planning import (
    PlanRules,
    declared_s,
    fitting_unit_s,
    pack_units,
    plan_recordings,
    recording_config_hash,
)
from funasr_beam.model.records import Failure, MediaInfo, RecognitionOptions, Recording

RECORDING = Recording("r", "file:///a.wav", "1-2", 10)
RULES = PlanRules(600.0, "hash")


def media_of(duration_s, channels=1):
    return MediaInfo("wav", "pcm_s16le", 8_000, channels, duration_s)


def plan(durations, span_s=600.0, channels=1):
    listed = [Listed(replace(RECORDING, id=f"r{place}")) for place in range(len(durations))]
    probe = {f"r{place}": media_of(duration, channels) for place, duration in enumerate(durations)}
    return list(plan_recordings(listed, lambda recording: probe[recording.id], PlanRules(span_s, "hash")))


def test_a_long_recording_becomes_spans_that_meet():
    (planned,) = plan([3600.0])
    assert [span.start_s for span in planned.spans] == [0, 600, 1200, 1800, 2400, 3000]
    assert [span.end_s for span in planned.spans] == [600, 1200, 1800, 2400, 3000, None]


def test_a_recording_that_cannot_be_probed_is_a_failure_and_the_others_are_planned():
    def probe(recording):
        if recording.id == "bad":
            raise RecordingError(Cause.NOT_MEDIA, "text")
        return media_of(5.0)

    listed = [Listed(replace(RECORDING, id="bad")), Listed(RECORDING)]
    bad, good = plan_recordings(listed, probe, RULES)
    assert (bad.failure, bad.spans) == (Failure("plan", Cause.NOT_MEDIA, "text"), ())
    assert len(good.spans) == 1


def test_what_is_skipped_is_not_probed():
    listed = [Listed(RECORDING, Failure("plan", Cause.EXCLUDED, "rule"), skipped=True)]
    (planned,) = plan_recordings(listed, lambda recording: pytest.fail("was probed"), RULES)
    assert planned.skipped


def test_a_small_file_is_one_span_and_left_to_its_worker_to_open():
    rules = replace(RULES, probe_above_bytes=10)
    (planned,) = plan_recordings([Listed(RECORDING)], lambda recording: pytest.fail("was probed"), rules)
    ((start_s, end_s, media),) = [(span.start_s, span.end_s, span.media) for span in planned.spans]
    assert (start_s, end_s, media) == (0.0, None, None)
    large = replace(RECORDING, size_bytes=11)
    (planned,) = plan_recordings([Listed(large)], lambda recording: media_of(5.0), rules)
    assert planned.media == media_of(5.0)


def test_recordings_come_in_order_and_only_a_few_are_probed_ahead():
    probed = []

    def probe(recording):
        probed.append(recording.id)
        return media_of(1.0)

    listed = (Listed(replace(RECORDING, id=str(number))) for number in range(1000))
    planned = plan_recordings(listed, probe, RULES, threads=2)
    assert [next(planned).recording.id for _ in range(3)] == ["0", "1", "2"]
    assert len(probed) < 20


@given(st.lists(st.floats(0.0, 20_000.0), max_size=30), st.floats(30.0, 4_000.0), st.integers(1, 3))
def test_every_span_is_in_one_unit_and_units_hold_their_length(durations, unit_s, channels):
    spans = [span for planned in plan(durations, channels=channels) for span in planned.spans]
    units = list(pack_units(spans, unit_s))
    assert [span for unit in units for span in unit.spans] == spans
    assert len({unit.name for unit in units}) == len(units)
    for unit in units:
        lengths = [declared_s(span) * channels for span in unit.spans]
        assert sum(lengths) - lengths[-1] / 2 <= unit_s or len(unit.spans) == 1


def test_the_name_of_a_unit_depends_on_its_spans_only():
    spans = plan([100.0, 200.0])
    first, second = ([span for planned in spans for span in planned.spans] for _ in range(2))
    assert [unit.name for unit in pack_units(first, 1000)] == [unit.name for unit in pack_units(second, 2000)]


def test_small_runs_have_units_for_every_worker_and_large_ones_keep_theirs():
    assert fitting_unit_s(60.0 * 20, 1800.0, 2) == 150.0
    assert fitting_unit_s(3600.0 * 20, 1800.0, 2) == 1800.0
    assert fitting_unit_s(0.0, 1800.0, 2) == 30.0


def test_options_of_a_recording_are_part_of_its_configuration():
    told = replace(RECORDING, options=RecognitionOptions("zh", ("a", "b"), "c"))
    keys = {recording_config_hash(recording, "h") for recording in (RECORDING, told)}
    keys |= {recording_config_hash(replace(told, options=RecognitionOptions("zh", ("a",), "b")), "h")}
    keys |= {recording_config_hash(replace(told, options=RecognitionOptions("zh", ("a\nb",), "c")), "h")}
    assert len(keys) == 4
    assert recording_config_hash(told, "h") == recording_config_hash(replace(told, id="x"), "h")
