import pytest

from funasr_beam.model.errors import Cause
from funasr_beam.model.listing import Listed, recording_id
from funasr_beam.model.planning import recording_config_hash
from funasr_beam.model.records import Recording
from funasr_beam.model.storage import Folder
from funasr_beam.pipeline.done import read_done
from tests.pipeline.outputs import add_run


def listed(name="a", fingerprint="1", given_id=None):
    uri = f"file:///{name}.wav"
    return Listed(Recording(given_id or recording_id(uri, fingerprint), uri, fingerprint, 10))


def row(item, status="ok", error_code=None, text_hash="x", **more):
    recording = item.recording
    return {
        "recording_id": recording.id,
        "uri": recording.uri,
        "fingerprint": recording.fingerprint,
        "config_hash": recording_config_hash(recording, text_hash),
        "status": status,
        "error_code": error_code,
        **more,
    }


def left(output, *items, text_hash="x", retry="passing"):
    return list(read_done(output, retry).leave_out_done(items, text_hash))


A = listed()


def test_an_output_without_runs_leaves_everything(tmp_path):
    assert left(Folder(str(tmp_path)), A) == [A]


@pytest.mark.parametrize(
    ("status", "cause", "retried_with"),
    [
        ("ok", None, []),
        ("no_speech", None, []),
        ("skipped", Cause.EXCLUDED, []),
        ("partial", Cause.TRUNCATED, ["partial", "all"]),
        ("failed", Cause.NOT_MEDIA, ["failed", "all"]),
        ("failed", Cause.STORAGE_UNAVAILABLE, ["passing", "failed", "partial", "all"]),
    ],
)
def test_what_is_tried_again(tmp_path, status, cause, retried_with):
    output = add_run(tmp_path, "1", [row(A, status, cause)])
    assert [retry for retry in ("passing", "failed", "partial", "all") if left(output, A, retry=retry)] == retried_with


def test_unchanged_inputs_are_counted_and_a_changed_one_is_left(tmp_path):
    output = add_run(tmp_path, "1", [row(A), row(listed("b"))])
    done = read_done(output, "passing")
    changed = listed("b", "2")
    assert list(done.leave_out_done([A, changed], "x")) == [changed]
    assert done.unchanged == 1


def test_a_changed_file_under_an_id_of_the_manifest_is_left(tmp_path):
    output = add_run(tmp_path, "1", [row(listed(given_id="call"))])
    assert left(output, listed(given_id="call")) == []
    assert left(output, listed(fingerprint="2", given_id="call"))


def test_bytes_that_came_back_are_done_again_since_their_old_row_is_no_longer_current(tmp_path):
    add_run(tmp_path, "1", [row(A)])
    output = add_run(tmp_path, "2", [row(listed(fingerprint="2"))])
    assert left(output, A) == [A]


def test_another_configuration_does_everything_again_and_going_back_too(tmp_path):
    output = add_run(tmp_path, "1", [row(A)])
    assert left(output, A, text_hash="y") == [A]
    add_run(tmp_path, "2", [row(A, text_hash="y")])
    assert left(output, A, text_hash="y") == []
    assert left(output, A, text_hash="x") == [A]


def test_a_file_that_a_new_model_cannot_read_is_not_tried_every_night(tmp_path):
    add_run(tmp_path, "1", [row(A)])
    output = add_run(tmp_path, "2", [row(A, "failed", Cause.NOT_MEDIA, text_hash="y")])
    assert left(output, A, text_hash="y") == []


def test_the_number_of_tries_goes_on(tmp_path):
    output = add_run(tmp_path, "1", [row(A, "failed", Cause.OUT_OF_MEMORY, attempts=3)])
    assert [item.tries_before for item in left(output, A)] == [3]


def test_many_recordings_are_found_each(tmp_path):
    items = [listed(str(number)) for number in range(500)]
    output = add_run(tmp_path, "1", [row(item) for item in items[::2]])
    assert left(output, *items) == items[1::2]
