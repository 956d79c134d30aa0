"""The command `funasr-beam query`."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from funasr_beam.pipeline.cli import main
from tests.pipeline.outputs import add_run, recording, segment


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    root = tmp_path_factory.mktemp("query")
    segments = [segment("a", 0.0, 1.0, 'he said "no", \x1b[31mred'), segment("a", 1.0, 2.0, "你好 café", flags=["x"])]
    add_run(root, "run1", [recording("a", metadata=[("agent", "Jo")], duration=2.0)], segments)
    return root


def ask(output, sql, capsys, *more):
    code = main(["query", str(output), sql, *more])
    return code, capsys.readouterr()


SQL = "select text, start, flags, words from segments order by start"


def test_csv_reads_back_as_it_was(output, capsys):
    _, told = ask(output, SQL, capsys, "--format", "csv")
    first, second = csv.DictReader(io.StringIO(told.out))
    assert first["text"] == 'he said "no", \x1b[31mred' and float(second["start"]) == 1.0
    assert json.loads(second["flags"]) == ["x"] and json.loads(second["words"])[0]["word"] == "你好"


@pytest.mark.parametrize("lines", [False, True])
def test_json_reads_back_as_it_was(output, lines, capsys):
    _, told = ask(output, SQL, capsys, "--format", "jsonl" if lines else "json")
    rows = [json.loads(line) for line in told.out.splitlines()] if lines else json.loads(told.out)
    assert [row["text"] for row in rows] == ['he said "no", \x1b[31mred', "你好 café"]
    assert rows[1]["words"][1] == {
        "word": "café",
        "start": 1.5,
        "end": 2.0,
        "confidence": 0.9,
        "raw_start": 1,
        "raw_end": 2,
    }


def test_json_knows_maps_dates_and_no_numbers(output, capsys):
    sql = "select metadata, 'nan'::double as n, date '2026-01-02' as d, [1.5] as l from recordings"
    _, told = ask(output, sql, capsys, "--format", "json")
    assert json.loads(told.out) == [{"metadata": {"agent": "Jo"}, "n": None, "d": "2026-01-02", "l": [1.5]}]
    _, told = ask(output, "select 1 where false", capsys, "--format", "json")
    assert json.loads(told.out) == []


def test_whole_numbers_stay_whole_in_json(output, capsys):
    _, told = ask(output, "select 9007199254740993::hugeint as n, 1.25::decimal(9, 2) as d", capsys, "--format", "json")
    assert json.loads(told.out) == [{"n": 9007199254740993, "d": 1.25}]


@pytest.mark.parametrize("form", ["json", "jsonl"])
def test_columns_of_one_name_do_not_replace_each_other_in_json(output, form, capsys):
    code, told = ask(output, "select s.text, r.uri as text from segments s, recordings r", capsys, "--format", form)
    assert (code, told.out) == (2, "")
    assert "several columns of the name text; JSON keeps one: name the others with AS" in told.err


@pytest.mark.parametrize("form", ["csv", "json", "jsonl"])
def test_data_are_utf_8_whatever_the_terminal_has(output, form):
    command = [sys.executable, "-m", "funasr_beam.pipeline", "query", str(output), SQL, "--format", form]
    told = subprocess.run(command, capture_output=True, check=True, env={**os.environ, "PYTHONIOENCODING": "latin-1"})
    assert "你好 café" in told.stdout.decode()


@pytest.mark.parametrize(("wanted", "number"), [("count(*)", signal.SIGINT), ("*", signal.SIGTERM)])
def test_a_signal_ends_a_query_that_takes_hours(output, wanted, number):
    endless = f"select {wanted} from range(3000000) a, range(3000000) b where a.range + b.range = -1"
    command = [sys.executable, "-m", "funasr_beam.pipeline", "query", str(output), endless]
    query = subprocess.Popen(["env", "--default-signal=INT", *command], stderr=subprocess.PIPE, text=True)
    cpu_seconds = psutil.Process(query.pid).cpu_times
    while query.poll() is None and cpu_seconds().user < 4:  # it has begun to compute
        time.sleep(0.1)
    query.send_signal(number)
    try:
        _, error = query.communicate(timeout=60)
    finally:
        query.kill()  # or it would compute for hours
    assert query.returncode == 130, error
    assert error.count("\n") == 1 and "interrupted" in error


def test_what_duckdb_itself_makes_of_ctrl_c_is_exit_code_130(output, capsys, monkeypatch):
    def interrupt(*_):
        raise RuntimeError("Query interrupted")

    monkeypatch.setattr("funasr_beam.pipeline.query.run_query", interrupt)
    code, told = ask(output, SQL, capsys)
    assert code == 130 and "interrupted" in told.err


def test_the_table_shows_rows_and_what_it_hides(output, capsys):
    code, told = ask(output, "select text from segments", capsys)
    assert code == 0 and "你好 café" in told.out
    assert "\x1b[31m" not in told.out
    _, told = ask(output, "select text from segments", capsys, "--most", "1")
    assert "more than these 1 rows" in told.out
    _, told = ask(output, "select text from segments where false", capsys)
    assert "No rows" in told.out


@pytest.mark.parametrize(("sql", "says"), [("selec 1", "syntax error"), ("select nope from words", "nope")])
def test_a_wrong_query_is_exit_code_2_and_no_traceback(output, sql, says, capsys):
    code, told = ask(output, sql, capsys)
    assert code == 2 and says in told.err and "Traceback" not in told.err


def test_the_query_may_come_from_standard_input(output, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("select count(*) as n from words"))
    _, told = ask(output, "-", capsys, "--format", "csv")
    assert told.out == "n\n6\n"
