"""Killed at any moment and started again, a run ends as if nothing had happened."""

import contextlib
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
from tests.faults.processes import Command
from tests.pipeline.test_transcribe import short_samples
from tests.processes import is_alive

pytestmark = pytest.mark.slow

KILLS = 10
COPIES = 2
MAX_BYTES = 150_000  # of a recording: many short ones make as many units and moments as few long ones


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """Enough recordings for a run that lasts, in folders so that basenames collide."""
    folder = tmp_path_factory.mktemp("inputs")
    recordings = [path for path in short_samples() if path.stat().st_size < MAX_BYTES]
    for copy in range(COPIES):
        (folder / str(copy)).mkdir()
        for path in recordings:
            shutil.copy2(path, folder / str(copy) / path.name)
    return folder


def words(inputs, output):
    arguments = ["transcribe", str(inputs), "--output", str(output), "--model", "demo", "--max-failed", "100%"]
    return [*arguments, "--set", "plan.unit_s=10"]


def start(inputs, output):
    """A run that has imported everything: a kill falls into its work."""
    return Command(words(inputs, output), output.with_suffix(f".{time.monotonic_ns()}.log"))


def command(inputs, output):
    """A run as a user starts it."""
    return [sys.executable, "-m", "funasr_beam.pipeline", *words(inputs, output)]


@pytest.fixture(scope="module")
def undisturbed(inputs, tmp_path_factory):
    """The output of a run that nobody disturbs, and how long it took."""
    output = tmp_path_factory.mktemp("undisturbed") / "out"
    began = time.monotonic()
    run = start(inputs, output)
    assert run.wait() == 0, run.text
    return output, time.monotonic() - began


def check_equal(undisturbed, output):
    assert main(["compare", str(undisturbed), str(output)]) == 0
    counts = Counter(row["uri"] for row in pq.read_table(output / "recordings").to_pylist())
    assert set(counts.values()) == {1}
    drafts = output / "_work/drafts"
    assert not drafts.exists() or list(drafts.iterdir()) == []


def committed_units(output):
    units = {}
    for path in Path(output).glob("_work/units/*/*.parquet"):
        with contextlib.suppress(FileNotFoundError):  # a run that ends takes its units away
            units[path] = path.stat().st_mtime_ns
    return units


@pytest.mark.parametrize("seed", range(KILLS))
def test_a_killed_run_goes_on_and_ends_like_an_undisturbed_one(inputs, undisturbed, tmp_path, seed):
    expected, lasted_s = undisturbed
    output = tmp_path / "out"
    first = start(inputs, output)
    time.sleep(random.Random(seed).uniform(0.2, 1.0) * lasted_s)
    first.kill()
    kept = committed_units(output)
    second = start(inputs, output)
    repeated = set()
    while second.is_running:
        now = committed_units(output)
        repeated |= {path for path in kept.keys() & now.keys() if kept[path] != now[path]}
        time.sleep(0.2)
    assert second.wait() == 0, second.text
    assert not repeated
    check_equal(expected, output)


def test_ctrl_c_ends_with_130_and_the_same_command_goes_on(inputs, undisturbed, tmp_path):
    expected, _ = undisturbed
    output = tmp_path / "out"
    # What a shell has put into the background ignores Ctrl-C, and so would what this process starts.
    attended = ["env", "--default-signal=INT", *command(inputs, output)]
    slow = [*attended, "--workers", "1"]  # so that it is not over when the signal comes
    run = subprocess.Popen(slow, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    wait_until(lambda: committed_units(output), lambda: run.poll() is None)
    run.send_signal(signal.SIGINT)
    _, error = run.communicate(timeout=60)
    assert run.returncode == 130, error
    assert "the same command goes on" in error
    assert "Traceback" not in error
    again = start(inputs, output)
    assert again.wait() == 0, again.text
    check_equal(expected, output)


def test_no_decoder_process_outlives_a_killed_run(inputs, tmp_path):
    run = start(inputs, tmp_path / "out")
    wait_until(lambda: decoders_of(run), lambda: run.is_running)
    decoders = decoders_of(run)
    run.kill()
    deadline = time.monotonic() + 30
    while any(is_alive(pid) for pid in decoders) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not [pid for pid in decoders if is_alive(pid)]


def decoders_of(run):
    return [pid for pid in descendants(run.pid) if "sandbox_worker" in command_line(pid)]


def command_line(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:  # it has just ended
        return ""


def wait_until(is_so, is_running):
    while not is_so():
        assert is_running(), "the run was over first"
        time.sleep(0.05)
