import argparse
import json
import sys
import time
from pathlib import Path

import pytest

from benchmarks import recognizer, suite
from benchmarks.recognizer_sides import GENERATE, UPSTREAM
from benchmarks.suite import TASKS, Task, run


def arguments(tmp_path: Path, *, tiny: bool) -> argparse.Namespace:
    return argparse.Namespace(tiny=tiny, work=tmp_path / "work", output=tmp_path)


@pytest.mark.slow
def test_the_way_from_files_to_tables_runs_to_its_end_and_both_ledgers_add_up(tmp_path):
    (task,) = TASKS["gpu-end"](arguments(tmp_path, tiny=True))
    assert run(task).startswith("done")
    found = json.loads((tmp_path / "end_to_end_cpu.json").read_text())
    assert sum(found["command"].values()) == pytest.approx(found["wall_s"])
    assert sum(found["threads"].values()) == pytest.approx(found["thread_s"])
    assert {"decode the file", "VAD", "encoder", "prefill", "decode", "waiting for a unit"} <= set(found["threads"])
    assert min(found["command"].values()) > -0.01
    assert found["threads"]["waiting for a unit"] > -0.01
    assert 0 < found["speech_s"] <= found["audio_s"]


@pytest.mark.slow
def test_the_part_for_a_gpu_runs_to_its_end_with_equal_texts_and_ledgers_that_add_up(tmp_path, monkeypatch, capfd):
    where = ["--work", str(tmp_path / "work"), "--output", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["", "gpu", "--tiny", *where])
    assert suite.main() == 0
    told = capfd.readouterr().out
    assert told.count("| done in") == 3
    assert "test_graphs.py::" in told  # among the tests that are found
    results = [json.loads((tmp_path / f"recognizer_{name}.json").read_text()) for name in ("cpu", "cpu_fp32")]
    speed, same = (result["profiles"]["calls"] for result in results)
    for side in (UPSTREAM, GENERATE):
        assert same["ways"][side]["equal_texts"] == same["ways"][side]["compared_texts"] == same["segments"]
    for ledger in (speed["ledger"], same["ledger"]):
        assert sum(ledger["stages"].values()) == pytest.approx(ledger["wall_s"])
        assert abs(ledger["stages"]["rest"]) < 0.25 * ledger["wall_s"]
        assert ledger["steps"] > 0


@pytest.mark.parametrize("tiny", [True, False])
def test_what_the_suite_asks_of_the_recogniser_is_understood(tmp_path, tiny, monkeypatch):
    for where in ("gpu", "host"):
        for task in TASKS[where](arguments(tmp_path, tiny=tiny)):
            if "benchmarks.recognizer" in task.command:
                monkeypatch.setattr(sys, "argv", list(task.command[1:]))
                assert recognizer.parse().size == ("tiny" if tiny else "full")


@pytest.mark.parametrize("part", ["gpu", "gpu-end"])
def test_the_parts_for_a_gpu_stay_within_ten_minutes(tmp_path, part):
    assert sum(task.limit_s for task in TASKS[part](arguments(tmp_path, tiny=False))) <= 600


def test_the_recogniser_stops_by_itself_before_the_suite_would_end_it(tmp_path):
    for task in TASKS["gpu"](arguments(tmp_path, tiny=False))[:2]:
        within = float(task.command[list(task.command).index("--within") + 1])
        assert within + 10 < task.limit_s


def test_a_suite_of_which_nothing_can_be_run_has_failed(tmp_path, monkeypatch):
    monkeypatch.setitem(TASKS, "gpu-end", lambda _: [Task("end to end", ["-c", ""], 5, ("no_such_package",))])
    monkeypatch.setattr(sys, "argv", ["", "gpu-end", "--tiny", "--output", str(tmp_path)])
    assert suite.main() == 1


def test_what_other_code_or_another_card_has_measured_is_measured_again(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["", "--size", "tiny", "--device", "cpu", "--work", str(tmp_path)])
    asked = recognizer.parse()
    before = recognizer.part_path(asked, GENERATE, "calls")
    assert recognizer.part_path(asked, GENERATE, "calls") == before
    recognizer.what_is_measured.cache_clear()
    monkeypatch.setattr(recognizer, "device_label", lambda _: "another")
    assert recognizer.part_path(asked, GENERATE, "calls") != before
    recognizer.what_is_measured.cache_clear()


def test_a_task_that_takes_too_long_ends_with_all_that_it_started(tmp_path):
    note = tmp_path / "process"
    code = f"""
import pathlib, subprocess, sys
begun = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
pathlib.Path({str(note)!r}).write_text(str(begun.pid))
begun.wait()
"""
    assert run(Task("a", ["-c", code], 5)).startswith("FAILED: more than")
    for _ in range(100):
        if not is_alive(int(note.read_text())):
            return
        time.sleep(0.05)
    pytest.fail("it still runs")


def is_alive(process):
    status = Path(f"/proc/{process}/status")
    return status.exists() and "zombie" not in status.read_text()


def test_a_task_that_fails_or_takes_too_long_or_cannot_be_done_is_told(monkeypatch):
    assert run(Task("a", ["-c", "raise SystemExit(3)"], 60)) == "FAILED: exit code 3"
    assert run(Task("b", ["-c", "import time; time.sleep(60)"], 0.2)).startswith("FAILED: more than")
    assert run(Task("c", ["-c", ""], 60, ("no_such_package",))) == "left out: no_such_package not installed"
    monkeypatch.setitem(suite.TASKS, "host", lambda _: [Task("a", ["-c", "raise SystemExit(3)"], 60)])
    monkeypatch.setattr(sys, "argv", ["", "host"])
    assert suite.main() == 1


@pytest.mark.parametrize("part", ["gpu", "gpu-end"])
def test_where_there_is_no_gpu_nothing_begins(part, monkeypatch, capsys):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setitem(suite.TASKS, part, lambda _: pytest.fail("it began"))
    monkeypatch.setattr(sys, "argv", ["", part])
    with pytest.raises(SystemExit):
        suite.main()
    assert "no GPU here" in capsys.readouterr().err
