"""A dead host costs a run minutes, not the night, and a host that comes back is heard."""

import pytest

from funasr_beam.model.backoff import ATTEMPTS
from funasr_beam.model.errors import Cause, RecordingError
from funasr_beam.model.silent_hosts import ASKED_AGAIN_S, PATIENCE_S, SilentHosts

FILE = "https://user:secret@calls.example:8443/a.wav"


class Hosts:
    """Silent hosts on a clock that only pauses and `wait` move, and a host that answers or not."""

    def __init__(self):
        self.now_s = 1000.0
        self.asked = 0
        self.error = ConnectionRefusedError("nobody is there")
        self.silent = SilentHosts(self.wait, lambda: self.now_s)

    def wait(self, seconds):
        self.now_s += seconds

    def answer(self):
        self.asked += 1
        if self.error:
            raise self.error
        return {"size": 1}

    def ask(self, uri=FILE):
        try:
            return self.silent.ask_about(uri, self.answer)
        except OSError as error:
            return error


@pytest.fixture
def hosts():
    return Hosts()


def test_an_outage_may_pass_every_file_is_asked_for_with_all_attempts(hosts):
    while hosts.now_s < 1000 + PATIENCE_S - 60:
        before = hosts.asked
        assert hosts.ask() is hosts.error
        assert hosts.asked - before == ATTEMPTS


def test_a_host_that_is_silent_for_long_is_asked_now_and_then_and_its_files_say_so(hosts):
    hosts.ask()
    hosts.wait(PATIENCE_S)
    asked, before = 0, hosts.asked
    for _ in range(1000):
        try:
            hosts.ask()
            asked += 1
        except RecordingError as error:
            assert error.cause is Cause.STORAGE_UNAVAILABLE
            assert "calls.example:8443 has not answered for" in error.message
            assert "secret" not in error.message
        hosts.wait(0.3)
    assert hosts.asked - before == asked, "one attempt each"
    assert asked == pytest.approx(300 / ASKED_AGAIN_S, abs=1)


def test_a_host_that_answers_again_is_asked_for_every_file(hosts):
    hosts.ask()
    hosts.wait(PATIENCE_S)
    hosts.error = None
    assert [hosts.ask() for _ in range(5)] == [{"size": 1}] * 5


@pytest.mark.parametrize("refusal", [FileNotFoundError("a"), PermissionError("a")])
def test_a_refusal_is_an_answer(hosts, refusal):
    hosts.ask()
    hosts.wait(PATIENCE_S - 100)
    hosts.error = refusal
    hosts.ask()
    hosts.wait(PATIENCE_S)
    assert hosts.ask() is refusal


@pytest.mark.parametrize("other", ["/mnt/share/a.wav", "//mnt/a.wav", "file:///mnt/a.wav", "s3://bucket/a.wav"])
def test_a_dead_host_is_no_other_place(hosts, other):
    hosts.ask()
    hosts.wait(PATIENCE_S)
    with pytest.raises(RecordingError):
        [hosts.ask() for _ in range(2)]
    assert hosts.ask(other) is hosts.error


def test_a_disk_is_always_asked(hosts):
    hosts.ask("/mnt/a.wav")
    hosts.wait(2 * PATIENCE_S)
    before = hosts.asked
    [hosts.ask("/mnt/a.wav") for _ in range(3)]
    assert hosts.asked - before == 3 * ATTEMPTS
