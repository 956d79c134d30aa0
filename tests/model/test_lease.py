"""One holder at a time, on a disk and in an object store, whatever the clocks of the machines say."""

import errno
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace

import pytest

from funasr_beam.model.errors import RunError
from funasr_beam.model.lease import FOLDER, Holder, Lease, LeaseTiming
from funasr_beam.model.storage import Folder

QUICK = LeaseTiming(beat_s=0.05, silence_s=0.6, look_s=0.02)
LIVELY = LeaseTiming(beat_s=0.05, silence_s=2.0, look_s=0.02)  # longer than the whole seconds that S3 tells may hide
PATIENT = LeaseTiming(beat_s=10, silence_s=60, look_s=0.02)
ELSEWHERE = {"machine": "another kernel", "host": "other-host"}


@pytest.fixture(params=["disk", "s3"])
def output(request, tmp_path):
    if request.param == "disk":
        return Folder(str(tmp_path / "out"))
    return Folder(request.getfixturevalue("s3").fresh())


def leave(output, number=7, **changes):
    """A lease that somebody holds or held."""
    holder = replace(Holder.of_this_process(), **{"token": "theirs", **ELSEWHERE, **changes})
    output.write(f"{FOLDER}/{number:09d}.json", json.dumps(asdict(holder)).encode())
    return holder


def top(output):
    return json.loads(output.read(f"{FOLDER}/{output.names(FOLDER)[-1]}"))


def test_a_second_run_stops_with_a_message_that_names_the_first(output):
    with Lease(output, LIVELY).held(), pytest.raises(RunError, match=r"another run is at work .* process \d+, since"):
        Lease(output, LIVELY)._take()


@pytest.mark.parametrize("code", [errno.EPERM, errno.ENOTSUP, errno.ENOSYS])
def test_a_mount_without_hard_links_has_one_holder_too(tmp_path, monkeypatch, code):
    def refuse(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "link", refuse)
    output = Folder(str(tmp_path))
    with Lease(output, LIVELY).held() as first:
        with pytest.raises(RunError, match="another run is at work"):
            Lease(output, LIVELY)._take()
        first.check()
    with Lease(output, PATIENT).held() as second:
        second.check()


def test_what_was_released_is_free_at_once(output):
    with Lease(output, PATIENT).held() as first:
        first.check()
    with Lease(output, PATIENT).held() as second:
        second.check()


@pytest.mark.parametrize("since", ["1970-01-01T00:00:00+00:00", "2099-01-01T00:00:00+00:00"])
def test_a_dead_holder_of_another_machine_is_followed_after_its_silence_whatever_its_clock_said(output, since):
    leave(output, since=since)
    began = time.monotonic()
    with Lease(output, QUICK).held() as lease:
        # S3 tells times in whole seconds: it may say that a second of the silence is over.
        told_early_s = 1.0 if output.uri.startswith("s3://") else 0.0
        assert time.monotonic() - began >= QUICK.silence_s - told_early_s
        lease.check()


@pytest.mark.parametrize("since", ["1970-01-01T00:00:00+00:00", "2099-01-01T00:00:00+00:00"])
def test_a_living_holder_of_another_machine_is_never_followed_whatever_its_clock_said(output, since):
    holder = leave(output, since=since)
    over = threading.Event()

    def live():
        beats = 0
        while not over.wait(LIVELY.silence_s / 10):
            beats += 1
            leave(output, beats=beats, since=holder.since)

    thread = threading.Thread(target=live)
    thread.start()
    try:
        with pytest.raises(RunError, match="other-host"):
            Lease(output, LIVELY)._take()
    finally:
        over.set()
        thread.join()


def test_a_holder_that_the_storage_itself_has_not_heard_of_for_long_needs_no_waiting(tmp_path, monkeypatch):
    output = Folder(str(tmp_path))
    leave(output)
    long_ago = time.time() - 3600
    os.utime(tmp_path / FOLDER / "000000007.json", (long_ago, long_ago))
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("waited"))
    with Lease(output, PATIENT).held():
        assert output.names(FOLDER) == ["000000008.json"]


def test_of_many_that_follow_a_dead_holder_one_wins(output):
    leave(output)
    leases = [Lease(output, QUICK) for _ in range(6)]

    def attempt(lease):
        try:
            lease._take()
        except RunError:
            return None
        return lease

    with ThreadPoolExecutor(len(leases)) as pool:
        winners = [lease for lease in pool.map(attempt, leases) if lease]
    assert len(winners) == 1
    assert top(output)["token"] == winners[0]._me.token


def test_a_holder_that_was_overtaken_stops(output):
    with Lease(output, PATIENT).held() as lease:
        lease.check()
        leave(output, number=2)
        with pytest.raises(RunError, match="another one may have taken over"):
            lease.check()
    assert top(output)["token"] == "theirs", "what is lost is not given back"


def test_a_holder_that_could_show_no_life_stops_even_if_nobody_followed(output):
    now = 0.0
    with Lease(output, PATIENT, clock=lambda: now).held() as lease:
        now = PATIENT.silence_s + 1
        with pytest.raises(RunError, match="another one may have taken over"):
            lease.check()


def test_a_claim_whose_answer_got_lost_is_still_a_claim(output):
    class LosesAnswers(Folder):
        def create(self, name, data):
            super().create(name, data)
            raise FileExistsError("the retry of a request that had been carried out")

    with Lease(LosesAnswers(output.uri), PATIENT).held() as lease:
        lease.check()


def test_a_killed_process_of_this_machine_is_followed_at_once(output):
    code = f"""
        import time
        from funasr_beam.model.lease import Lease
        from funasr_beam.model.storage import Folder
        with Lease(Folder({output.uri!r})).held():
            print("held", flush=True)
            time.sleep(60)
    """
    other = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True)
    assert other.stdout.readline() == "held\n"
    other.send_signal(signal.SIGKILL)
    other.wait()
    began = time.monotonic()
    with Lease(output).held() as lease:
        lease.check()
    assert time.monotonic() - began < LeaseTiming().silence_s / 2
