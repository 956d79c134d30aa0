from funasr_beam.model.storage import Folder
from funasr_beam.pipeline.run_folder import clear_leftovers, finish_run, list_runs, open_run
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


def test_a_new_run_is_the_newest_whatever_the_clock_says(tmp_path):
    output = add_run(tmp_path, "20990101T000000Z-ffffff", [recording()])
    first = open_run(output, "texthash")
    assert first.id > "20990101T000000Z-ffffff"
    finish_run(output, first)
    assert open_run(output, "texthash").id > first.id


def test_an_unfinished_run_with_a_newer_one_behind_it_goes_on_under_a_new_id(tmp_path):
    output = Folder(str(tmp_path))
    old = open_run(output, "x")
    other = open_run(output, "other")
    finish_run(output, other)
    opened = open_run(output, "x")
    assert opened.id > other.id
    assert [run.id for run in list_runs(output)] == [other.id, opened.id]
    assert old.id != opened.id


def test_units_that_a_finished_run_left_behind_are_cleared_and_those_of_an_unfinished_one_are_kept(tmp_path):
    output = Folder(str(tmp_path))
    run = open_run(output, "x")
    output.write("_work/units/x/u.parquet", b"x")
    clear_leftovers(output, "x")
    assert output.exists("_work/units/x/u.parquet")
    finish_run(output, run)
    clear_leftovers(output, "x")
    assert not output.exists("_work/units/x/u.parquet")


def test_a_run_whose_note_is_damaged_is_passed_over_with_a_warning(tmp_path, caplog):
    output = add_run(tmp_path, "1", [recording()])
    for name, text in (("2", b""), ("3", b"[]"), ("4", b'{"id": "4", "colour": "red"}')):
        output.write(f"runs/{name}/run.json", text)
    for _ in range(2):
        assert [run.id for run in list_runs(output)] == ["1"]
    assert caplog.text.count("is damaged") == 3, "of each it is said once"
