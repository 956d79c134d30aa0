"""Compaction changes where rows are, never which are current; killed at any step, it loses nothing and can go on."""

import contextlib
import json
import tempfile
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings

from funasr_beam.model.errors import RunError
from funasr_beam.model.storage import Folder
from funasr_beam.pipeline.claim import only_run
from funasr_beam.pipeline.cli import main
from funasr_beam.pipeline.compaction import compact
from funasr_beam.pipeline.current import batches_about, current_rows, stored_rows
from funasr_beam.pipeline.latest_sql import latest_sql
from funasr_beam.pipeline.run_folder import open_run
from tests.pipeline.outputs import add_run, recording
from tests.pipeline.test_latest_sql import RUNS, by_python, chosen, write

TABLES = ("recordings", "segments", "speech")


class Killed(BaseException):
    """The process ends here."""


class Steps:
    """Calls `at` before every change of the storage, with the number of changes so far."""

    def __init__(self, monkeypatch, at):
        self.count = 0
        for name in ("write", "publish", "remove"):
            monkeypatch.setattr(Folder, name, self._counted(getattr(Folder, name), at))

    def _counted(self, method, at):
        def counted(*arguments):
            at(self.count)
            self.count += 1
            return method(*arguments)

        return counted


@contextlib.contextmanager
def killed_at(step, monkeypatch):
    """What happens inside ends with the process before so many changes of the storage and one."""

    def kill(count):
        if count == step:
            raise Killed

    with monkeypatch.context() as patched:
        Steps(patched, kill)
        with contextlib.suppress(Killed):
            yield


def all_rows(output):
    return {
        table: sorted(
            json.dumps(row, default=str)
            for batch in batches_about(current_rows(output), output, table)
            for row in batch.to_pylist()
        )
        for table in TABLES
    }


def nights(root):
    """Three runs: good rows, a worse retry, a new file, a change of bytes, and other tables."""

    def segment(name, text):
        return {"segment_id": f"{name}-0", "recording_id": name, "text": text}

    add_run(root, "1", [recording("a"), recording("b")], [segment("a-1", "one"), segment("b-1", "two")])
    add_run(root, "2", [recording("a", status="failed"), recording("b", fingerprint="2")], [segment("b-2", "new")])
    return add_run(root, "3", [recording("c"), recording("b", status="failed")], [segment("c-1", "three")])


@given(RUNS)
@settings(max_examples=12, deadline=None)
def test_the_current_rows_stay_and_nothing_else_does(runs):
    with tempfile.TemporaryDirectory() as root, duckdb.connect() as connection:
        output = write(Path(root), runs)
        before = by_python(output)
        compact(output)
        assert by_python(output) == before
        assert sorted(stored_rows(output)["recording_id"].to_pylist()) == sorted(row[1] for row in before)
        connection.execute(latest_sql(root))
        assert chosen(connection) == before


def test_rows_keep_the_run_that_made_them_and_all_tables_move(tmp_path):
    output = nights(tmp_path)
    before = all_rows(output)
    report = compact(output)
    assert all_rows(output) == before
    assert (report.rows_before, report.rows) == (6, 3)
    assert report.files < report.files_before
    for table in TABLES:
        assert [path.name for path in (tmp_path / table).iterdir()] == [f"run={report.run_id}"]
    assert {row["run_id"] for row in pq.read_table(tmp_path / "recordings").to_pylist()} == {"1", "3"}


def test_at_every_step_readers_see_the_same_rows(tmp_path, monkeypatch):
    output = nights(tmp_path)
    before = all_rows(output)
    steps = Steps(monkeypatch, lambda _: check(output, before))
    compact(output)
    check(output, before)
    assert steps.count > 10


def check(output, before):
    assert all_rows(output) == before
    with duckdb.connect() as connection:
        connection.execute(latest_sql(output.root))
        assert len(chosen(connection)) == len(before["recordings"])
        assert len(chosen(connection, "segments")) == len(before["segments"])


@pytest.mark.parametrize("step", range(0, 26, 2))
def test_killed_at_any_step_it_loses_nothing_and_goes_on(tmp_path, monkeypatch, step):
    output = nights(tmp_path)
    before = all_rows(output)

    with killed_at(step, monkeypatch):
        compact(output)
    assert all_rows(output) == before
    open_run(output, "texthash")  # what a run of the next night does first
    assert all_rows(output) == before
    compact(output)
    assert all_rows(output) == before
    assert stored_rows(output).num_rows == 3


def test_a_compacted_output_has_nothing_to_do(tmp_path):
    output = nights(tmp_path)
    compact(output)
    assert compact(output).run_id is None


def test_large_tables_become_several_files(tmp_path):
    output = add_run(tmp_path, "1", [recording(str(number)) for number in range(25_000)])
    add_run(tmp_path, "2", [recording("x")])
    report = compact(output, part_bytes=1)
    parts = sorted((tmp_path / f"recordings/run={report.run_id}").iterdir())
    assert [path.name for path in parts] == [f"part-{number:05d}.parquet" for number in range(3)]
    assert sum(pq.read_metadata(path).num_rows for path in parts) == 25_001


def test_it_refuses_while_a_run_is_at_work(tmp_path):
    output = nights(tmp_path)
    with only_run(output), pytest.raises(RunError, match="another run is at work"):
        compact(output)


def test_the_command_says_what_it_did_and_runs_tells_the_history(tmp_path, capsys):
    nights(tmp_path)
    assert main(["compact", str(tmp_path)]) == 0
    assert "3 current recordings of 6 rows" in capsys.readouterr().out
    assert main(["compact", str(tmp_path)]) == 0
    assert "nothing to do" in capsys.readouterr().out
    assert main(["runs", str(tmp_path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [(run["kind"], run["state"]) for run in found] == [
        ("transcribe", "compacted"),
        ("transcribe", "compacted"),
        ("transcribe", "compacted"),
        ("compact", "finished"),
    ]
    assert main(["runs", str(tmp_path)]) == 0
    assert "compact: finished" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["metrics", "report"])
def test_a_run_whose_rows_have_moved_is_told_so_and_not_that_a_table_is_damaged(tmp_path, capsys, command):
    nights(tmp_path)
    assert main(["compact", str(tmp_path)]) == 0
    assert main([command, str(tmp_path), "--run", "1"]) == 2
    told = capsys.readouterr().err
    assert "compact has moved them" in told and "runs/1/metrics.json" in told
