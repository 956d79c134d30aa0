import pytest

from funasr_beam.pipeline.current import current_keys
from tests.pipeline.outputs import add_run, recording


def current_statuses(output):
    return {(row["uri"], row["fingerprint"]): (key.run_id, row["status"]) for key, row in current_keys(output).items()}


@pytest.mark.parametrize(
    ("older", "newer", "winner"),
    [
        ("ok", "ok", "2"),
        ("ok", "failed", "1"),
        ("partial", "failed", "1"),
        ("no_speech", "failed", "1"),
        ("failed", "failed", "2"),
        ("failed", "ok", "2"),
        ("ok", "partial", "2"),
    ],
)
def test_for_the_same_bytes_the_newest_good_row_beats_any_failed_one(tmp_path, older, newer, winner):
    add_run(tmp_path, "1", [recording(status=older)])
    output = add_run(tmp_path, "2", [recording(status=newer)])
    ((run_id, _),) = current_statuses(output).values()
    assert run_id == winner


def test_for_new_bytes_the_newest_run_wins_failed_too(tmp_path):
    add_run(tmp_path, "1", [recording(status="ok", fingerprint="1")])
    output = add_run(tmp_path, "2", [recording(status="failed", fingerprint="2")])
    assert current_statuses(output) == {("file:///a.wav", "2"): ("2", "failed")}


def test_a_run_without_its_success_is_not_seen(tmp_path):
    add_run(tmp_path, "1", [recording()])
    output = add_run(tmp_path, "2", [recording()], finished=False)
    assert current_statuses(output) == {("file:///a.wav", "1"): ("1", "ok")}


def test_one_file_under_two_ids_stays_two_recordings(tmp_path):
    rows = [recording(recording_id="x"), recording(recording_id="y")]
    assert len(current_keys(add_run(tmp_path, "1", rows))) == 2
