import pytest

from funasr_beam.model.storage import Folder
from funasr_beam.pipeline.run_folder import FinishedRow, finished_rows, list_runs, open_run
from tests.pipeline.outputs import add_run, recording


def test_an_unfinished_run_of_the_same_configuration_goes_on(tmp_path):
    output = Folder(str(tmp_path))
    first = open_run(output, "x")
    assert open_run(output, "x").id == first.id
    assert open_run(output, "other").id != first.id


def test_a_finished_run_is_never_opened_again(tmp_path):
    output = add_run(tmp_path, "1", [recording()])
    assert open_run(output, "texthash").id != "1"
    assert len(list_runs(output)) == 2


def test_what_a_killed_run_of_another_configuration_had_published_is_taken_back(tmp_path):
    output = add_run(tmp_path, "1", [recording()], finished=False)
    open_run(output, "other")
    assert not (tmp_path / "recordings/run=1").exists()


def test_finished_rows_keep_the_good_one(tmp_path):
    add_run(tmp_path, "1", [recording(status="ok")])
    output = add_run(tmp_path, "2", [recording(status="failed", error_code="decode_timeout")])
    assert finished_rows(output) == {("a-1", "c"): FinishedRow("ok", None)}


@pytest.mark.parametrize(
    ("row", "is_final"),
    [
        (FinishedRow("ok", None), True),
        (FinishedRow("partial", "truncated"), True),
        (FinishedRow("skipped", "excluded"), True),
        (FinishedRow("failed", "not_media"), True),
        (FinishedRow("failed", "storage_unavailable"), False),
    ],
)
def test_only_failures_that_may_pass_are_tried_again(row, is_final):
    assert row.is_final is is_final
