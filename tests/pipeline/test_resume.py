"""Killed at any moment and started again, a run ends as if nothing had happened."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from benchmarks.memory import descendants
from funasr_beam.pipeline.cli import main
from tests.pipeline.test_transcribe import short_samples

pytestmark = pytest.mark.slow

KILLS = 10
COPIES = 3


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """Enough recordings for a run that lasts, in folders so that basenames collide."""
    folder = tmp_path_factory.mktemp("inputs")
    for copy in range(COPIES):
        (folder / str(copy)).mkdir()
        for path in short_samples():
            shutil.copy2(path, folder / str(copy) / path.name)
    return folder


def command(inputs, output):
    arguments = ["transcribe", str(inputs), "--output", str(output), "--model", "demo", "--max-failed", "100%"]
    return [sys.executable, "-m", "funasr_beam.pipeline", *arguments, "--set", "plan.unit_s=10"]


def start(inputs, output):
    return subprocess.Popen(command(inputs, output), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def undisturbed(inputs, tmp_path_factory):
    """The output of a run that nobody disturbs, and how long it took."""
    output = tmp_path_factory.mktemp("undisturbed") / "out"
    began = time.monotonic()
    subprocess.run(command(inputs, output), check=True, capture_output=True)
    return output, time.monotonic() - began


def check_equal(undisturbed, output):
    assert main(["compare", str(undisturbed), str(output)]) == 0
    counts = Counter(row["uri"] for row in pq.read_table(output / "recordings").to_pylist())
    assert set(counts.values()) == {1}
    drafts = output / "_work/drafts"
    assert not drafts.exists() or list(drafts.iterdir()) == []


def committed_units(output):
    return {path: path.stat().st_mtime_ns for path in Path(output).glob("_work/units/*/*.parquet")}


@pytest.mark.parametrize("seed", range(KILLS))
def test_a_killed_run_goes_on_and_ends_like_an_undisturbed_one(inputs, undisturbed, tmp_path, seed):
    expected, lasted_s = undisturbed
    output = tmp_path / "out"
    first = start(inputs, output)
    time.sleep(random.Random(seed).uniform(0.2, 1.0) * lasted_s)
    first.send_signal(signal.SIGKILL)
    first.wait()
    kept = committed_units(output)
    second = start(inputs, output)
    repeated = set()
    while second.poll() is None:
        now = committed_units(output)
        repeated |= {path for path in kept.keys() & now.keys() if kept[path] != now[path]}
        time.sleep(0.2)
    assert second.returncode == 0, second.stderr.read()
    assert not repeated
    check_equal(expected, output)


def test_ctrl_c_ends_with_130_and_the_same_command_goes_on(inputs, undisturbed, tmp_path):
    expected, _ = undisturbed
    output = tmp_path / "out"
    run = start(inputs, output)
    wait_until(lambda: committed_units(output), run)
    run.send_signal(signal.SIGINT)
    _, error = run.communicate(timeout=60)
    assert run.returncode == 130
    assert "the same command goes on" in error
    assert "Traceback" not in error
    subprocess.run(command(inputs, output), check=True, capture_output=True)
    check_equal(expected, output)


def test_no_decoder_process_outlives_a_killed_run(inputs, tmp_path):
    run = start(inputs, tmp_path / "out")
    wait_until(lambda: descendants(run.pid), run)
    children = descendants(run.pid)
    run.kill()
    run.wait()
    deadline = time.monotonic() + 30
    while any(is_alive(pid) for pid in children) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not [pid for pid in children if is_alive(pid)]


def wait_until(is_so, run):
    while not is_so():
        assert run.poll() is None, "the run was over first"
        time.sleep(0.05)


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
