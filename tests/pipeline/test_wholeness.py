"""An output that has lost rows says so, and nothing is made of what is left."""

import os

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from funasr_beam.model.errors import RunError
from funasr_beam.model.storage import Folder
from funasr_beam.pipeline.cli import main
from funasr_beam.pipeline.compaction import compact
from funasr_beam.pipeline.run_folder import finished_run_ids
from funasr_beam.pipeline.views import open_views
from tests.pipeline.outputs import add_run, recording, segment


@pytest.fixture
def output(tmp_path):
    for run, name in (("run1", "a"), ("run2", "b")):
        add_run(tmp_path, run, [recording(name, num_segments=2)], [segment(name), segment(name, 2.0, 3.0)])
    return Folder(str(tmp_path))


def tables(output):
    return [name for folder in ("recordings", "segments", "speech") for name in output.tree(folder)]


def test_an_output_that_lacks_nothing_opens(output):
    with open_views(output) as connection:
        assert connection.sql("SELECT count(*) FROM segments").fetchall() == [(4,)]
    assert compact(output).rows == 2


@pytest.mark.parametrize("command", ["query", "metrics", "export", "compact"])
def test_a_run_without_its_segments_is_told_of_and_its_output_left_as_it_is(output, command, capsys):
    output.remove("segments/run=run1")
    before = tables(output)
    more = {"query": ["select count(*) from segments"], "export": ["--format", "txt", "--output", output.path("x")]}
    assert main([command, output.show(), *more.get(command, [])]) == 3
    told = capsys.readouterr().err
    assert "segments/run=run1: 2 of the 2 segments of its recordings are gone; restore it from a copy" in told
    assert tables(output) == before


def test_several_runs_without_segments_are_counted(output):
    for run in ("run1", "run2"):
        part = output.path(f"segments/run={run}/part-00000.parquet")
        pq.write_table(pq.read_table(part)[:0], part)
    with pytest.raises(RunError, match=r"run=run1: 2 of the 2 .*and others of 1 more runs"), open_views(output):
        pass


@pytest.mark.parametrize("where", ["{root}", "memory://wholeness"])
def test_a_table_without_any_file_is_no_empty_table(output, where):
    output.remove("segments")
    fsspec.filesystem("memory").put(output.root, "/wholeness", recursive=True)
    there = Folder(where.format(root=output.root))
    with pytest.raises(RunError, match="segments: the table is gone"), open_views(there):
        pass


@pytest.mark.parametrize("lost", ["segments/run=run1", "segments"])
def test_a_night_is_finished_with_a_warning(output, lost, tmp_path, caplog):
    output.remove(lost)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.wav").write_bytes(b"no sound")
    command = ["transcribe", output.path("in"), "--output", output.show(), "--model", "demo"]
    assert main([*command, "--max-failed", "100%"]) == 0
    assert "segments/run=run1: 2 of the 2 segments of its recordings are gone" in caplog.text
    assert len(finished_run_ids(output)) == 3


@pytest.mark.parametrize("folder", ["runs", "recordings", "segments"])
def test_a_folder_that_may_not_be_listed_is_not_called_empty(output, folder, monkeypatch, capsys):
    walk = os.walk

    def refusing(path, onerror, **options):
        if str(path).endswith(f"/{folder}"):
            onerror(PermissionError(13, "Permission denied", path))
        return walk(path, onerror=onerror, **options)

    monkeypatch.setattr(os, "walk", refusing)
    assert main(["query", output.show(), "select 1 from segments"]) == 3
    assert "Permission denied" in capsys.readouterr().err


def test_columns_of_a_newer_version_are_not_lost_in_a_compaction(output):
    part = output.path("recordings/run=run1/part-00000.parquet")
    pq.write_table(pq.read_table(part).append_column("mood", pa.array(["good"])), part)
    with pytest.raises(RunError, match=r"does not know \(mood\), and would lose them; use the version that wrote it"):
        compact(output)
    assert "mood" in pq.read_schema(part).names
