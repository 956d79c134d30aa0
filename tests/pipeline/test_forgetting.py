"""What is forgotten is nowhere in the output any more; all else is as it was, and killed at any step it goes on."""

import contextlib
import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from funasr_beam.model.errors import RunError, UsageError
from funasr_beam.model.storage import Folder
from funasr_beam.pipeline.claim import only_run
from funasr_beam.pipeline.cli import main
from funasr_beam.pipeline.current import current_rows
from funasr_beam.pipeline.forgetting import Wanted, find, forget, uris_of
from funasr_beam.pipeline.run_folder import open_run
from tests.pipeline.outputs import add_run, recording, segment
from tests.pipeline.test_compaction import all_rows, killed_at

A = Wanted(uris=["file:///a.wav"])


@pytest.fixture
def output(tmp_path):
    """Two nights: `a` was recognised, changed and failed; `b` is good; `c` belongs to a customer."""
    customer = {"metadata": [("customer", "4711")]}
    add_run(tmp_path, "1", [recording("a"), recording("b")], [segment("a", text="alpha"), segment("b", text="beta")])
    rows = [recording("a", fingerprint="2"), recording("c", duration=60.0, **customer)]
    return add_run(tmp_path, "2", rows, [segment("a", text="again", fingerprint="2"), segment("c", text="gamma")])


def uris(output):
    return set(current_rows(output)["uri"].to_pylist())


def holds(output, text):
    """Whether a text is in any file of an output; tables are read, for they are compressed."""
    return any(text in contents(output, name) for name in output.tree(""))


def contents(output, name):
    if name.endswith(".parquet"):
        return str(pq.ParquetFile(output.open(name)).read().to_pylist())
    return output.read(name).decode()


def test_all_rows_of_a_recording_go_and_the_others_stay(output):
    before = all_rows(output)
    assert forget(output, A).rows == 2
    after = all_rows(output)
    for table, rows in before.items():
        assert after[table] == [row for row in rows if not re.search(r'"(file:///a.wav|a-\d)', row)]
    assert not holds(output, "a.wav") and not holds(output, "alpha") and not holds(output, "again")
    assert holds(output, "beta")
    assert len(output.tree("recordings")) == 1


def test_a_condition_over_the_columns_chooses(output):
    found = find(output, Wanted("metadata['customer'] = '4711'"))
    assert found.select(["uri", "duration"]).to_pylist() == [{"uri": "file:///c.wav", "duration": 60.0}]
    forget(output, Wanted("duration >= 60"))
    assert uris(output) == {"file:///a.wav", "file:///b.wav"}


@pytest.mark.parametrize("where", ["no_such_column = 1", "true; drop view recordings", "uri ="])
def test_a_condition_that_is_none_is_told(output, where):
    with pytest.raises(UsageError, match="--where cannot be used"):
        forget(output, Wanted(where))
    assert len(uris(output)) == 3


def test_report_pages_go_and_metrics_lose_the_uris_that_they_note(output):
    noted = {"recordings": {"ok": 2}, "regressions": {"dropped": 2, "dropped_uris": ["file:///a.wav", "file:///b.wav"]}}
    output.write("runs/2/metrics.json", json.dumps(noted).encode())
    for page in ("report.html", "runs/1/report.html"):
        output.write(page, b"alpha, said a.wav")
    assert forget(output, A).pages == 2
    assert not holds(output, "a.wav")
    assert json.loads(output.read("runs/2/metrics.json")) == {
        "recordings": {"ok": 2},
        "regressions": {"dropped": 2, "dropped_uris": ["file:///b.wav"]},
    }


def test_all_of_an_output_can_be_forgotten(output):
    forget(output, Wanted("true"))
    assert uris(output) == set()
    assert find(output, Wanted("true")).num_rows == 0
    add_run(Path(output.root), "3", [recording("d")])
    assert uris(output) == {"file:///d.wav"}


def test_what_is_not_there_changes_nothing(output):
    before = output.tree("recordings"), output.tree("runs")
    assert forget(output, Wanted(uris=["file:///x.wav"])).rows == 0
    assert (output.tree("recordings"), output.tree("runs")) == before


@pytest.mark.parametrize("step", range(0, 26, 2))
def test_killed_at_any_step_the_same_command_goes_on(output, monkeypatch, step):
    output.write("runs/1/report.html", b"alpha")
    with killed_at(step, monkeypatch):
        forget(output, A)
    assert {"file:///b.wav", "file:///c.wav"} <= uris(output)
    open_run(output, "texthash")  # what a run of the next night does first
    forget(output, A)
    assert uris(output) == {"file:///b.wav", "file:///c.wav"}
    assert not holds(output, "alpha")


def test_it_refuses_while_a_run_is_at_work_or_has_not_ended(output):
    with only_run(output), pytest.raises(RunError, match="another run is at work"):
        forget(output, A)
    output.write("_work/units/texthash/0.parquet", b"alpha")
    with pytest.raises(RunError, match=r"let the same transcribe command end first, or delete .*_work/units"):
        forget(output, A)
    assert len(uris(output)) == 3


def test_paths_are_named_as_the_tables_name_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = ["a b.wav", " ", f"file://{tmp_path}/c.wav ", "s3://key:secret@bucket/d.wav"]
    assert uris_of(lines) == [f"file://{tmp_path}/a b.wav", f"file://{tmp_path}/c.wav ", "s3://bucket/d.wav"]
    for wrong in ("nowhere://x", "github://x"):
        with pytest.raises(UsageError, match=f"line 2: {wrong}"):
            uris_of(["a.wav", wrong])


def test_what_a_run_without_its_success_had_published_goes_too(output):
    add_run(Path(output.root), "3", [recording("a", fingerprint="3"), recording("d")], finished=False)
    output.write("runs/3/report.html", b"said a.wav")
    (Path(output.root) / "runs/3/run.json").rename(Path(output.root) / "gone.json")
    add_run(Path(output.root), "4", [recording("a", fingerprint="4")], finished=False)
    output.write("runs/4/report.html", b"said a.wav")
    forget(output, A)
    (Path(output.root) / "gone.json").unlink()
    assert not holds(output, "a.wav")
    assert uris(output) == {"file:///b.wav", "file:///c.wav"}


def test_a_page_that_was_written_after_a_kill_goes_with_the_same_command(output, monkeypatch):
    for step in range(30):
        copy = Folder(f"{output.root}-{step}")
        shutil.copytree(output.root, copy.root)
        with killed_at(step, monkeypatch):
            forget(copy, A)
        if "file:///a.wav" in uris(copy):
            copy.write("report.html", b"said a.wav")
            assert forget(copy, A).rows > 0
        assert not holds(copy, "a.wav"), step


def test_nobody_need_read_what_the_command_says(output):
    command = f"{sys.executable} -m funasr_beam.pipeline forget {output.root} --where true --yes"
    subprocess.run(f"{command} | true", shell=True, check=True)
    assert uris(output) == set()


def test_a_list_on_standard_input_may_have_a_mark_of_its_encoding_and_odd_names(output, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("\ufeff/a.wav\r\n/x\u2028y.wav".encode())))
    assert main(["forget", output.root, "--uris", "-"]) == 0
    told = capsys.readouterr().out
    assert "1 recording" in told and "not in this output: 1 of the 2 URIs" in told
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a\xff")))
    assert main(["forget", output.root, "--uris", "-"]) == 2
    assert main(["forget", output.root, "--uris", ""]) == 2


def test_the_command_tells_first_and_deletes_with_yes(output, tmp_path, capsys):
    (tmp_path / "list.txt").write_text("/a.wav\n/z.wav\n")
    command = ["forget", output.root, "--uris", str(tmp_path / "list.txt")]
    assert main(command) == 0
    told = capsys.readouterr().out
    assert "1 recording, 0.00 h of audio\n  ok file:///a.wav" in told
    assert "not in this output: 1 of the 2 URIs" in told
    assert "nothing is changed: --yes deletes them" in told
    assert len(uris(output)) == 3
    assert main([*command, "--yes"]) == 0
    assert "deleted: 2 rows of recordings" in capsys.readouterr().out
    assert uris(output) == {"file:///b.wav", "file:///c.wav"}
    assert main(["runs", output.root]) == 0
    assert "forget: finished" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["--uris", "nowhere.txt"], ["--where", "true", "--uris", "x"]])
def test_a_wrong_command_is_a_message(output, capsys, arguments):
    with contextlib.suppress(SystemExit):
        assert main(["forget", output.root, *arguments]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_an_output_in_a_bucket_forgets_too(s3, tmp_path):
    local = add_run(tmp_path, "1", [recording("a"), recording("b")], [segment("a", text="alpha")])
    bucket = Folder(s3.fresh())
    for name in local.tree(""):
        bucket.write(name, local.read(name))
    forget(bucket, A)
    assert uris(bucket) == {"file:///b.wav"}
    assert not holds(bucket, "alpha")
