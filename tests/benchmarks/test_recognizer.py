import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import recognizer, tables
from benchmarks.recognizer_sides import GENERATE, OURS, OURS_ALL, TIMED, UPSTREAM
from benchmarks.recognizer_table import Part, Pass, details, join

ROOT = Path(__file__).parent.parent.parent
ABSENT = """
import sys
from importlib.machinery import PathFinder

class Present(PathFinder):
    def find_spec(name, *more):
        return None if name.partition(".")[0] in {absent} else PathFinder.find_spec(name, *more)

finders = [Present if finder is PathFinder else finder for finder in sys.meta_path]
sys.meta_path[:] = [finder for finder in finders if "editable" not in repr(finder)]
sys.path[:] = ["{root}", *(place for place in sys.path if "__editable__" not in place)]
{then}
"""
ELSEWHERE = (
    *("apache_beam", "av", "soxr", "wetext", "s3fs", "duckdb", "pydub", "py3langid", "silero_vad", "pydantic"),
    *("pypinyin", "pytest", "funasr", "hypothesis", "jiwer", "polars", "moto", "rapidfuzz"),
)
"""What the project needs, but a machine with torch, transformers and pyarrow may not have."""
MACHINE = {"cores": 2, "processor": "CPU", "packages": {"torch": "2", "transformers": "5"}}
SETTINGS = {"size": "tiny", "device": "cpu", "tokens_per_s": 4.5, "threads": 1, "peers_get": 2, "batch": 4}


@pytest.mark.slow
def test_on_a_bare_checkout_without_the_projects_other_dependencies_it_runs(tmp_path):
    then = f"""
sys.argv = ["", "--size", "tiny", "--device", "cpu", "--hours", "0.003", "--profiles", "calls", "--sides", "{TIMED}"]
sys.argv += ["--work", "{tmp_path}", "--side", "{TIMED}"]
import benchmarks.recognizer
benchmarks.recognizer.main()
assert sys.modules["funasr_beam"].__path__ == ["{ROOT}"]
"""
    code = ABSENT.format(absent=repr(ELSEWHERE), root=ROOT, then=then)
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
    assert list(tmp_path.glob("part*.json"))


@pytest.mark.slow
def test_tests_for_a_gpu_need_none_of_them_but_pytest():
    then = """
import pytest
raise SystemExit(pytest.main(["-q", "-p", "no:cacheprovider", "-m", "gpu", "--collect-only", "tests/model"]))
"""
    code = ABSENT.format(absent=set(ELSEWHERE) - {"pytest"}, root=ROOT, then=then)
    alone = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # those of absent packages cannot be loaded
    command = [sys.executable, "-c", code]
    told = subprocess.run(command, check=True, cwd=ROOT, env=alone, capture_output=True, text=True).stdout
    found = {Path(line.partition("::")[0]).name for line in told.splitlines() if "::" in line}
    assert found == {"test_graphs.py", "test_on_a_gpu.py"}


def test_a_way_that_cannot_be_taken_says_so_and_the_others_are_compared():
    ours = Part(OURS, "calls", None, 100.0, {0: "a b", 1: "c"}, (Pass(1.0, 2.0), Pass(2.0, 2.0), Pass(4.0, 2.0)))
    theirs = Part(GENERATE, "calls", None, 50.0, {0: "a b c"}, (Pass(4.0, 4.0),))
    all_tokens = Part(OURS_ALL, "calls", None, 100.0, {0: "a b", 1: "c"}, (Pass(1.0, 2.0),))
    absent = Part(UPSTREAM, "calls", "funasr not installed")
    profiles = {"calls": join([50.0, 50.0], [ours, theirs, all_tokens, absent])}
    table = tables.recognizer({"machine": MACHINE, "settings": SETTINGS, "profiles": profiles})
    assert "| calls | funasr, batches | funasr not installed |" in table
    assert "| calls | transformers generate | 12.50 | 12.50 | 4.0x (4.0x) | 1 of 1 |" in table
    more = details(profiles)
    assert "| calls | ours | 2 | 100 | 25.00 to 100.00 | 0 |" in more
    assert "funasr, batches" not in more


@pytest.mark.parametrize(("within", "code", "why"), [("0.000001", 0, "no time was left"), ("0", 1, "failed")])
def test_ways_that_fail_or_for_which_there_is_no_time_are_told_and_the_others_are_kept(
    tmp_path, monkeypatch, capsys, within, code, why
):
    options = ["--size", "tiny", "--device", "cpu", "--profiles", "calls", "--hours", "0.01", "--sides", OURS, GENERATE]
    kept = ["--work", str(tmp_path), "--output", str(tmp_path), "--store", "--within", within]
    monkeypatch.setattr(sys, "argv", ["", *options, *kept])
    monkeypatch.setattr(recognizer, "make_checkpoint", lambda *_: None)
    monkeypatch.setattr(subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, 9))
    assert recognizer.main() == code
    assert not list(tmp_path.glob("*.json"))  # nothing is worth keeping

    arguments = recognizer.parse()
    recognizer.write_part(arguments, Part(OURS, "calls", None, 36.0, {0: "a"}, (Pass(2.0, 2.0),)))
    assert recognizer.main() == code
    assert f"| calls | transformers generate | {why} |" in capsys.readouterr().out
    found = json.loads((tmp_path / "recognizer_cpu.json").read_text())["profiles"]["calls"]["ways"]
    assert found[OURS]["x_realtime"] == [18.0]
    assert found[GENERATE] == {"missing": why}
    assert not recognizer.part_path(arguments, GENERATE, "calls").exists()  # it is tried again next time


def test_a_way_that_takes_longer_than_is_left_is_ended(tmp_path, monkeypatch):
    def run(command, timeout, **_):
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(sys, "argv", ["", "--device", "cpu"])
    monkeypatch.setattr(subprocess, "run", run)
    arguments = argparse.Namespace(**{**vars(recognizer.parse()), "work": tmp_path})
    assert recognizer.measure_alone(OURS, arguments, 5.0) == "no time was left"


def test_a_text_that_differs_is_not_counted_as_equal():
    ours = Part(OURS_ALL, "calls", None, 100.0, {0: "a b", 1: "c"}, (Pass(1.0, 2.0),))
    theirs = Part(GENERATE, "calls", None, 100.0, {0: "a c", 1: "c d"}, (Pass(4.0, 4.0),))
    found = join([50.0, 50.0], [ours, theirs])["ways"][GENERATE]
    assert (found["equal_texts"], found["compared_texts"]) == (1, 2)


def test_the_ledger_adds_up_to_the_wall_clock():
    ledger = Pass(10.0, 12.0, {"features": 1.0, "encoder": 3.0, "decode": 4.0}, steps=100)
    ours = Part(OURS, "calls", None, 100.0, {0: "a"}, (Pass(10.0, 2.0),), ledger)
    found = join([100.0], [ours])["ledger"]
    assert sum(found["stages"].values()) == found["wall_s"] == 10.0
    assert found["stages"]["rest"] == 2.0
    assert found["ms_per_step"] == 40.0
