from funasr_beam.pipeline.regressions import Regressions, read_regressions
from tests.pipeline.outputs import add_run, recording

A, B = "file:///a.wav", "file:///b.wav"


def two_nights(root, older, newer):
    add_run(root, "1", older)
    return read_regressions(add_run(root, "2", newer, finished=False), "2")


def test_a_worse_retry_is_told_of(tmp_path):
    older = [recording(num_characters=50), recording("b", status="partial", num_characters=40)]
    newer = [recording(status="failed"), recording("b", status="partial", num_characters=10)]
    assert two_nights(tmp_path, older, newer) == Regressions(kept_older=2, kept_older_uris=(A, B))


def test_another_model_that_says_much_less_is_told_of(tmp_path):
    older = [recording(num_characters=50), recording("b", num_characters=50)]
    newer = [
        recording(status="no_speech", num_characters=0, config_hash="d"),
        recording("b", num_characters=30, config_hash="d"),
    ]
    assert two_nights(tmp_path, older, newer) == Regressions(dropped=1, dropped_uris=(A,))


def test_changed_bytes_and_first_runs_are_no_news(tmp_path):
    older, newer = [recording(num_characters=50)], [recording(fingerprint="2", num_characters=0)]
    assert two_nights(tmp_path / "two", older, newer) == Regressions()
    assert read_regressions(add_run(tmp_path / "one", "1", older, finished=False), "1") == Regressions()
