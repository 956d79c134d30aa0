"""SQL over an output: the current rows, and nothing else on the machine."""

import itertools

import duckdb
import fsspec
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from funasr_beam.model.errors import RunError, UsageError
from funasr_beam.model.storage import Folder
from funasr_beam.pipeline.cli import main
from funasr_beam.pipeline.run_folder import Run, save_run
from funasr_beam.pipeline.thread_files import ThreadFiles
from funasr_beam.pipeline.views import VIEWS, batches, open_views, select
from tests.pipeline.outputs import add_run, recording, segment


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    root = tmp_path_factory.mktemp("views") / "it's an output"
    add_run(root, "run1", [recording("a"), recording("b", status="failed")], [segment("a", 0.0, 1.0, "hello")])
    add_run(root, "run2", [recording("a", status="failed"), recording("b")], [segment("b", 0.0, 2.0, "you there")])
    return add_run(root, "run3", [recording("c")], finished=False)


def rows(output, sql):
    with open_views(output) as opened:
        return answer(opened, sql)


@pytest.fixture(scope="module")
def connection(output):
    with open_views(output) as opened:
        yield opened


def answer(connection, sql):
    return [tuple(row.values()) for batch in batches(select(connection, sql)) for row in batch.to_pylist()]


def test_the_views_hold_the_current_rows_of_finished_runs(output):
    found = rows(output, "select recording_id, status, run_id from recordings order by 1")
    assert found == [("a-1", "ok", "run1"), ("b-1", "ok", "run2")]
    assert rows(output, "select text from segments order by 1") == [("hello",), ("you there",)]
    assert rows(output, "select word, start from words order by 1") == [("hello", 0.0), ("there", 1.0), ("you", 0.0)]


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_can_be_read_in_an_output_without_rows(view, tmp_path):
    assert rows(add_run(tmp_path, "run1", []), f"select count(*) from {view}") == [(0,)]


def test_an_output_whose_first_run_goes_on_is_empty(tmp_path):
    save_run(Folder(str(tmp_path)), Run("run1", "texthash", "2026-01-01T00:00:00+00:00"))
    assert [rows(Folder(str(tmp_path)), f"select count(*) from {view}") for view in VIEWS] == [[(0,)]] * 4


@pytest.mark.parametrize("error", [FileNotFoundError("part-0"), PermissionError("Forbidden")])
@pytest.mark.parametrize("after", [0, 4, 8])
def test_a_file_that_cannot_be_read_any_more_is_no_fault_of_the_query_or_the_table(output, monkeypatch, error, after):
    store, opened = fsspec.filesystem("memory"), ThreadFiles.open
    store.put(output.root, f"/views/{type(error).__name__}-{after}", recursive=True)
    count = itertools.count()

    def failing(files, path, *arguments, **options):
        if next(count) >= after:
            raise error
        return opened(files, path, *arguments, **options)

    monkeypatch.setattr(ThreadFiles, "open", failing)
    told = "is there no more .*part-0.*the same command again" if error.args == ("part-0",) else "Forbidden.*try again"
    with pytest.raises(RunError, match=told):
        rows(Folder(f"memory://views/{type(error).__name__}-{after}"), "select text from segments order by 1")


def test_a_table_that_is_deleted_meanwhile_is_not_called_damaged(output):
    said = 'IO Error: Cannot open file "part-0": No such file or directory'
    for kind in (duckdb.IOException, OSError):  # where a query begins, and where its rows are fetched
        with pytest.raises(RunError, match=r"is there no more .*compact and forget delete"), open_views(output):
            raise kind(said)


def test_the_same_of_a_command_that_reads_without_sql(tmp_path, capsys):
    output = add_run(tmp_path, "run1", [recording("a")])
    (part,) = tmp_path.glob("recordings/run=*/*")
    part.unlink()
    part.symlink_to(tmp_path / "gone")  # it is listed, and cannot be opened
    assert main(["status", output.show()]) == 3
    assert "compact and forget delete files" in capsys.readouterr().err


def test_an_output_in_an_object_store_is_read_through_its_file_system(output):
    store = fsspec.filesystem("memory")
    store.put(output.root, "/views/out", recursive=True)
    found = rows(Folder("memory://views/out"), "select text from segments order by 1")
    assert found == [("hello",), ("you there",)]


@pytest.mark.parametrize(
    "sql",
    [
        "select * from read_text('/etc/passwd')",
        "select * from read_csv('/etc/passwd')",
        "select * from '/etc/passwd.csv'",
        "select * from glob('/etc/*')",
        "select * from read_text('{root}/../secret.txt')",
        "select * from read_csv('https://example.org/x.csv')",
        "copy (select 1) to '{root}/recordings/run=run1/x.csv' (format csv)",
        "copy (select 1) to '/tmp/x.csv' (format csv)",
        "attach '{root}/x.db'",
        "set enable_external_access = true",
        "reset enable_external_access",
        "pragma enable_progress_bar",
        "install httpfs",
        "load httpfs",
        "drop view recordings",
        "create table mine as select 1",
        "create or replace view recordings as select 1",
        "select 1; drop view recordings",
        "export database '{root}'",
        "select * from output",
        "",
        ";",
    ],
)
def test_a_query_reads_the_output_and_nothing_else(sql, output, connection, tmp_path):
    (tmp_path.parent / "secret.txt").write_text("secret")
    before = sorted(output.fs.find(output.root))
    with pytest.raises(UsageError):
        answer(connection, sql.format(root=output.root.replace("'", "''")))
    assert sorted(output.fs.find(output.root)) == before


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("select txt from segments", '"text"'),
        ("selct 1", "syntax error"),
        ("select * from segment", "segments"),
        ("select text::int from segments", "Could not convert"),
        ("select * from read_text('/etc/passwd')", "the views only"),
    ],
)
def test_what_is_wrong_with_a_query_is_said(sql, says, connection):
    with pytest.raises(UsageError, match=says):
        answer(connection, sql)


@given(st.text(max_size=40))
def test_any_text_is_a_query_or_a_message(connection, text):
    try:
        answer(connection, text)
    except UsageError as error:
        assert str(error)


@pytest.mark.parametrize("table", ["recordings", "segments"])
def test_a_damaged_table_is_a_message_that_names_it(tmp_path, table):
    output = add_run(tmp_path, "run1", [recording("a")], [segment("a")])
    (tmp_path / table / "run=run1/part-00000.parquet").write_bytes(b"PAR1")
    with pytest.raises(RunError, match=rf"{table}/run=run1/part-00000\.parquet.*does their recordings again"):
        rows(output, "select 1 from segments")


def test_a_table_found_damaged_in_the_middle_of_a_query_is_no_fault_of_the_query(tmp_path):
    segments = [segment("a", float(each), each + 1.0, f"text {each % 50}") for each in range(500)]
    output = add_run(tmp_path, "run1", [recording("a")], segments)
    part = tmp_path / "segments/run=run1/part-00000.parquet"
    group = pq.read_metadata(part).row_group(0).to_dict()
    (column,) = (each for each in group["columns"] if each["path_in_schema"] == "text")
    with part.open("r+b") as file:
        file.seek(column["dictionary_page_offset"])
        file.write(bytes(16))
    with pytest.raises(RunError, match=r"damaged.*: segments/run=run1/part-00000\.parquet\); restore"):
        rows(output, "select text from segments")


@pytest.mark.parametrize("name", ["out [2024]", "o*t", "o?t", "o{a,b}", "o;t", 'o"t', "o%20t", "o\nt", "-o", "a::b"])
def test_the_name_of_an_output_may_have_any_letters(tmp_path, name):
    output = add_run(tmp_path / name, "run1", [recording("a")], [segment("a", text="hello")])
    add_run(tmp_path / "out 2", "run1", [recording("b")])  # what a wildcard would find, too
    assert rows(output, "select count(*), max(text) from segments") == [(1, "hello")]
    assert rows(output, "select recording_id from recordings") == [("a-1",)]
