import numpy as np
import pytest

from funasr_beam.pipeline.current import batches_about, current_rows, newest_mask, stored_rows
from tests.pipeline.outputs import add_run, recording


def current(output):
    return sorted((row["uri"], row["fingerprint"], row["run_id"]) for row in current_rows(output).to_pylist())


def winner(root, older, newer):
    """The run of the current row after two runs over the same recording."""
    add_run(root, "1", [recording(**older)])
    ((_, _, run_id),) = current(add_run(root, "2", [recording(**newer)]))
    return run_id


@pytest.mark.parametrize(
    ("older", "newer", "winning"),
    [
        ("ok", "ok", "2"),
        ("ok", "failed", "1"),
        ("ok", "skipped", "1"),
        ("partial", "failed", "1"),
        ("no_speech", "failed", "1"),
        ("failed", "failed", "2"),
        ("failed", "ok", "2"),
        ("no_speech", "partial", "2"),
    ],
)
def test_for_the_same_bytes_the_newest_good_row_beats_any_failed_one(tmp_path, older, newer, winning):
    assert winner(tmp_path, {"status": older}, {"status": newer}) == winning


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ({"status": "ok", "num_characters": 9}, {"status": "partial", "num_characters": 5}),
        ({"status": "ok", "num_characters": 9}, {"status": "no_speech", "num_characters": 0}),
        ({"status": "ok", "num_characters": 9}, {"status": "ok", "num_characters": 0}),
        ({"status": "partial", "num_characters": 9}, {"status": "partial", "num_characters": 5}),
        ({"status": "partial", "num_characters": 1}, {"status": "no_speech", "num_characters": 0}),
    ],
)
def test_less_never_replaces_more_under_the_same_configuration_but_another_model_may_say_less(tmp_path, older, newer):
    assert winner(tmp_path / "same", older, newer) == "1"
    assert winner(tmp_path / "other", older, {**newer, "config_hash": "d"}) == "2"


def test_a_failure_of_another_model_hides_no_transcript(tmp_path):
    assert winner(tmp_path, {"status": "ok"}, {"status": "failed", "config_hash": "d"}) == "1"


def test_for_new_bytes_the_newest_run_wins_failed_too(tmp_path):
    assert winner(tmp_path, {"status": "ok"}, {"status": "failed", "fingerprint": "2"}) == "2"


def test_a_file_that_was_away_for_a_night_hides_nothing(tmp_path):
    away = {"recording_id": "a-", "fingerprint": "", "status": "failed", "error_code": "not_found"}
    assert winner(tmp_path, {"status": "ok"}, away) == "1"


def test_bytes_that_come_back_are_the_newest_again(tmp_path):
    add_run(tmp_path, "1", [recording(fingerprint="1")])
    add_run(tmp_path, "2", [recording(fingerprint="2")])
    output = add_run(tmp_path, "3", [recording(fingerprint="1", status="failed")])
    assert current(output) == [("file:///a.wav", "1", "1")]


def test_a_run_without_its_success_is_not_seen(tmp_path):
    add_run(tmp_path, "1", [recording()])
    output = add_run(tmp_path, "2", [recording()], finished=False)
    assert current(output) == [("file:///a.wav", "1", "1")]


def test_one_file_under_two_ids_stays_two_recordings(tmp_path):
    rows = [recording(recording_id="x"), recording(recording_id="y")]
    assert len(current(add_run(tmp_path, "1", rows))) == 2


def test_rows_of_other_tables_follow_their_recording(tmp_path):
    def segment(text):
        return {"segment_id": "s", "recording_id": "a-1", "text": text}

    add_run(tmp_path, "1", [recording()], [segment("old")])
    output = add_run(tmp_path, "2", [recording()], [segment("new")])
    rows = [
        row for batch in batches_about(current_rows(output), output, "segments", ["text"]) for row in batch.to_pylist()
    ]
    assert rows == [{"text": "new"}]


def test_the_last_word_is_the_newest_row_also_where_it_is_not_current(tmp_path):
    add_run(tmp_path, "1", [recording(status="ok")])
    output = add_run(tmp_path, "2", [recording(status="failed")])
    rows = stored_rows(output)
    assert np.asarray(rows["status"])[newest_mask(rows)].tolist() == ["failed"]


def test_an_output_without_runs_has_no_rows(tmp_path):
    output = add_run(tmp_path, "1", [], finished=False)
    assert current_rows(output).num_rows == 0
