"""Faults of one machine; after each, the same command ends as if nothing had happened."""

import os
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.memory import descendants
from tests.faults import defects
from tests.faults.scenes import PATIENCE_S, Scene, copy_recordings, statuses, wait_until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    folder = tmp_path_factory.mktemp("disk")
    scene = Scene((str(copy_recordings(folder / "in")),), str(folder / "undisturbed"), folder)
    code, text = scene.run(scene.undisturbed)
    assert code == 0, text
    return scene


def committed(output):
    return list(Path(output).glob("_work/units/*/*.parquet"))


def children(command, name):
    """Process numbers of what the command has started of this name."""
    found = descendants(command.pid)
    return [pid for pid in found if name.encode() in Path(f"/proc/{pid}/cmdline").read_bytes()]


def decoders(command):
    """The command's decoders that are at work on a file."""
    return children(command, "sandbox_worker")


@pytest.mark.parametrize(
    ("defect", "cause"),
    [(defects.decoders_are_killed_at_work, "decoder_crashed"), (defects.decoders_hang_at_work, "decode_timeout")],
    ids=["killed", "hung"],
)
def test_a_decoder_that_was_killed_or_hangs_costs_its_recording_until_the_next_run(scene, tmp_path, defect, cause):
    code, text = scene.run(tmp_path / "out", "--set", "decode.stall_s=2", defect=defect)
    assert code == 0, text
    assert 1 <= statuses(tmp_path / "out")[cause] <= 2
    code, text = scene.run(tmp_path / "out")
    assert code == 0, text
    scene.check_equal(tmp_path / "out")


def test_decoders_that_are_killed_at_any_moment_cost_no_more_than_that(scene, tmp_path):
    command = scene.start(tmp_path / "out")
    wait_until(lambda: "Transcribing" in command.text and decoders(command), command)
    hit = set()
    while command.is_running and len(hit) < 2:
        for pid in set(decoders(command)) - hit:
            os.kill(pid, signal.SIGKILL)
            hit.add(pid)
    assert command.wait() == 0
    scene.run(tmp_path / "out")
    scene.check_equal(tmp_path / "out")


def test_a_recogniser_that_is_killed_in_a_process_of_its_own_costs_nothing(scene, tmp_path):
    command = scene.start(tmp_path / "out", "--set", "recognition.process=own")
    killed = set()
    for count in (1, 2):  # the one that was loaded first, and the one that took over
        wait_until(
            lambda count=count: len(committed(tmp_path / "out")) >= count or "takes over" in command.text, command
        )
        wait_until(lambda: set(children(command, "own_process.child")) - killed, command)
        (pid,) = set(children(command, "own_process.child")) - killed
        os.kill(pid, signal.SIGKILL)
        killed.add(pid)
    assert command.wait() == 0
    assert "died (signal SIGKILL)" in command.text
    scene.check_equal(tmp_path / "out")
    assert not children(command, "own_process.child")


def test_a_command_that_is_killed_leaves_no_recogniser_behind(scene, tmp_path):
    command = scene.start(tmp_path / "out", "--set", "recognition.process=own")
    wait_until(lambda: "Transcribing" in command.text, command)
    (pid,) = children(command, "own_process.child")
    command.kill()
    until = time.monotonic() + PATIENCE_S
    while Path(f"/proc/{pid}").exists() and time.monotonic() < until:
        time.sleep(0.05)
    assert not Path(f"/proc/{pid}").exists()
    assert scene.run(tmp_path / "out")[0] == 0
    scene.check_equal(tmp_path / "out")


def test_out_of_memory_with_a_batch_is_no_loss(scene, tmp_path):
    code, text = scene.run(tmp_path / "out", defect=defects.out_of_memory_with_neighbours)
    assert code == 0, text
    scene.check_equal(tmp_path / "out")


def test_out_of_memory_for_good_is_a_failure_that_the_next_run_makes_good(scene, tmp_path):
    code, text = scene.run(tmp_path / "out", defect=defects.out_of_memory_always)
    assert code == 0, text
    assert statuses(tmp_path / "out")["out_of_memory"] == 3
    scene.run(tmp_path / "out")
    scene.check_equal(tmp_path / "out")


def test_a_disk_that_is_full_after_the_first_unit_loses_no_unit(scene, tmp_path):
    code, text = scene.run(tmp_path / "out", defect=defects.no_space_after_the_first_unit)
    check_stopped(code, text)
    kept = committed(tmp_path / "out")
    assert kept
    code, text = replace(scene, verbose=True).run(tmp_path / "out")
    assert code == 0, text
    assert not [path for path in kept if f"Unit {path.stem} begins" in text]
    scene.check_equal(tmp_path / "out")


def test_a_committed_unit_that_is_damaged_is_done_again(scene, tmp_path):
    scene.run(tmp_path / "out", defect=defects.no_space_after_the_first_unit)
    (kept,) = committed(tmp_path / "out")
    kept.write_bytes(kept.read_bytes()[:100])
    code, text = scene.run(tmp_path / "out")
    assert code == 0, text
    assert f"{kept.name} is damaged: what was in it is done again" in text
    scene.check_equal(tmp_path / "out")


def check_stopped(code, text):
    """The command said at its end what is wrong and what to do."""
    assert code == 3, text
    last = text.strip().splitlines()[-1]
    assert last.startswith("funasr-beam: ")
    assert "there is no space left" in last
    assert "the same command goes on" in last
    assert "Traceback" not in text


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 256 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(disk)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("needs the right to mount")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_full_disk_stops_the_run_with_a_message_and_room_lets_it_go_on(scene, small_disk):
    ballast = small_disk / "ballast"
    command = scene.start(small_disk / "out")
    wait_until(lambda: committed(small_disk / "out"), command)
    with pytest.raises(OSError, match="No space"), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    check_stopped(command.wait(), command.text)
    ballast.unlink()
    code, text = scene.run(small_disk / "out")
    assert code == 0, text
    scene.check_equal(small_disk / "out")


def test_an_output_that_is_taken_away_stops_the_run_with_a_message_alone(scene, tmp_path):
    command = scene.start(tmp_path / "out")
    wait_until(lambda: "Transcribing" in command.text and decoders(command), command)
    (tmp_path / "out").rename(tmp_path / "away")
    assert command.wait() == 3
    assert "Traceback" not in command.text
    assert command.text.strip().splitlines()[-1].startswith("funasr-beam: ")


def test_a_clock_that_was_set_back_and_another_order_of_files_change_nothing(scene, tmp_path):
    hidden = Path(scene.inputs[0]) / "zh-phone.wav"
    kept = hidden.rename(tmp_path / hidden.name)
    try:
        scene.run(tmp_path / "out")
    finally:
        kept.rename(hidden)
    code, text = scene.run(tmp_path / "out", defect=defects.clock_a_day_back)
    assert code == 0, text
    scene.check_equal(tmp_path / "out")
    code, text = scene.run(tmp_path / "shuffled", defect=defects.folders_listed_in_random_order)
    assert code == 0, text
    scene.check_equal(tmp_path / "shuffled")
