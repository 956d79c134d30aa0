"""Whatever a file does to the child, the parent gets a cause, and the next file is served."""

import errno
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from funasr_beam.model.audio import sandbox
from funasr_beam.model.audio.decode import TimeRange, decode_range
from funasr_beam.model.audio.limits import DecodeLimits
from funasr_beam.model.audio.probe import probe
from funasr_beam.model.audio.sandbox import Decoder
from funasr_beam.model.audio.source import MediaSource
from funasr_beam.model.audio.wire import Message
from funasr_beam.model.errors import Cause, RecordingError, RunError
from tests.media import AAC, speech_like, wav_bytes, write_media


@pytest.fixture
def good(tmp_path: Path) -> MediaSource:
    return MediaSource(str(write_media(tmp_path / "good.m4a", speech_like(3, 44_100, 2), 44_100, AAC)))


@pytest.fixture
def decoder() -> Iterator[Decoder]:
    with Decoder() as decoder:
        yield decoder


def child_of(decoder: Decoder) -> int:
    assert decoder.pid is not None
    return decoder.pid


def hours_of_nothing(folder: Path) -> Path:
    """A file that takes seconds to decode and no room."""
    path = folder / "long.wav"
    path.write_bytes(wav_bytes(bytes(1000), rate=44_100, data_size=630_000_000))
    os.truncate(path, 630_000_000)
    return path


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def open_files(process: int | str) -> int:
    """The fewest within a second: the child closes a file just after its last message."""
    counts = []
    for _ in range(20):
        counts.append(len(list(Path(f"/proc/{process}/fd").iterdir())))
        time.sleep(0.05)
    return min(counts)


def wait_until_gone(pid: int, patience_s: float = 20.0) -> bool:
    end = time.monotonic() + patience_s
    while is_running(pid) and time.monotonic() < end:
        time.sleep(0.05)
    return not is_running(pid)


def test_it_gives_what_decoding_in_this_process_gives(decoder, good):
    assert decoder.probe(good) == probe(good)
    for span in (TimeRange(), TimeRange(0.5, 1.25), TimeRange(50, None)):
        inside, outside = decoder.decode_range(good, span), decode_range(good, span)
        np.testing.assert_array_equal(inside.samples, outside.samples)
        assert inside.summary == outside.summary


def test_one_child_serves_many_files_and_their_failures(decoder, good, tmp_path):
    decoder.probe(good)
    child = child_of(decoder)
    for _ in range(3):
        with pytest.raises(RecordingError, match="is not there"):
            decoder.decode_range(MediaSource(str(tmp_path / "nothing.wav")))
        assert decoder.decode_range(good).samples.shape[0] == 2
    assert child_of(decoder) == child


def test_the_child_is_gone_after_close(good):
    with Decoder() as decoder:
        decoder.probe(good)
        child = child_of(decoder)
    assert not is_running(child)


def test_a_child_killed_between_two_files_is_replaced(decoder, good):
    decoder.probe(good)
    os.kill(child_of(decoder), signal.SIGKILL)
    assert decoder.decode_range(good).samples.shape[0] == 2


def test_a_child_that_hung_between_two_files_is_replaced(decoder, good, monkeypatch):
    decoder.probe(good)
    os.kill(child_of(decoder), signal.SIGSTOP)
    monkeypatch.setattr(sandbox, "START_S", 5.0)
    assert decoder.decode_range(good).samples.shape[0] == 2


def test_a_child_killed_during_a_file_is_a_crash_of_that_file_only(decoder, good, tmp_path):
    long = hours_of_nothing(tmp_path)
    decoder.probe(good)
    killer = threading.Timer(0.3, os.kill, (child_of(decoder), signal.SIGKILL))
    killer.start()
    with pytest.raises(RecordingError) as caught:
        decoder.decode_range(MediaSource(str(long)))
    assert caught.value.cause == Cause.DECODER_CRASHED
    assert str(long) in caught.value.message
    assert decoder.decode_range(good).samples.shape[0] == 2


@pytest.fixture
def silent_server() -> Iterator[str]:
    """A web server that promises a megabyte, sends the head of a WAV, and then nothing for ever."""
    server = socket.create_server(("127.0.0.1", 0))
    held = []

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            held.append(connection)
            is_head = connection.recv(65_536).startswith(b"HEAD")
            ranges = b"Accept-Ranges: bytes\r\nContent-Range: bytes 0-999999/1000000\r\n"
            connection.sendall(b"HTTP/1.1 206 OK\r\n" + ranges + b"Content-Length: 1000000\r\n\r\n")
            if is_head:
                connection.close()
            else:
                connection.sendall(wav_bytes(bytes(900), data_size=999_000))

    threading.Thread(target=serve, daemon=True).start()
    yield f"http://127.0.0.1:{server.getsockname()[1]}/a.wav"
    server.close()
    for connection in held:
        connection.close()


def test_a_read_that_never_returns_is_a_timeout_and_the_next_file_is_served(good, silent_server):
    with Decoder(DecodeLimits(stall_s=2.0)) as decoder:
        decoder.probe(good)
        child = child_of(decoder)
        with pytest.raises(RecordingError) as caught:
            decoder.decode_range(MediaSource(silent_server))
        assert caught.value.cause == Cause.DECODE_TIMEOUT
        assert not is_running(child)
        assert decoder.decode_range(good).samples.shape[0] == 2


def test_a_file_that_takes_too_long_in_all_is_a_timeout(good, tmp_path):
    long = hours_of_nothing(tmp_path)
    with Decoder() as starter:
        starter.probe(good)
    with Decoder(DecodeLimits(base_s=0.05, s_per_mb=0)) as decoder:
        with pytest.raises(RecordingError) as caught:
            decoder.decode_range(MediaSource(str(long)))
        assert caught.value.cause == Cause.DECODE_TIMEOUT
        assert "did not end" in caught.value.message


def test_memory_beyond_the_limit_is_a_cause_and_not_the_end_of_the_machine(tmp_path, good):
    bomb = tmp_path / "bomb.wav"
    bomb.write_bytes(wav_bytes(bytes(32 * 2 * 200_000), rate=192_000, channels=32))
    with Decoder(DecodeLimits(max_memory_bytes=24 * 2**20)) as decoder:
        with pytest.raises(RecordingError) as caught:
            decoder.decode_range(MediaSource(str(bomb)))
        assert caught.value.cause in (Cause.OUT_OF_MEMORY, Cause.DECODER_CRASHED)
    with Decoder() as decoder:
        assert decoder.decode_range(MediaSource(str(bomb))).samples.shape[0] == 32
        assert decoder.decode_range(good).samples.shape[0] == 2


def test_ctrl_c_is_the_parents_business(decoder, good):
    decoder.probe(good)
    child = child_of(decoder)
    os.kill(child, signal.SIGINT)
    time.sleep(0.1)
    assert decoder.decode_range(good).samples.shape[0] == 2
    assert child_of(decoder) == child
    assert os.getpgid(child) != os.getpgid(os.getpid())


_OWNER = """
import sys, time
from funasr_beam.model.audio.sandbox import Decoder
from funasr_beam.model.audio.source import MediaSource
from funasr_beam.model.audio.wire import Message
decoder = Decoder()
decoder.probe(MediaSource(sys.argv[1]))
print(decoder.pid, flush=True)
if len(sys.argv) > 2:
    decoder.decode_range(MediaSource(sys.argv[2]))
time.sleep(60)
"""


@pytest.mark.parametrize("busy", [False, True])
def test_the_child_ends_with_a_parent_that_was_killed(good, silent_server, busy):
    arguments = [sys.executable, "-c", _OWNER, good.uri, *([silent_server] if busy else [])]
    owner = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
    child = int(owner.stdout.readline())
    assert is_running(child)
    if busy:
        time.sleep(0.5)
    owner.kill()
    owner.wait()
    owner.stdout.close()
    assert wait_until_gone(child)


@pytest.mark.slow
def test_two_hundred_files_leave_no_process_and_no_open_file_behind(tmp_path, good):
    paths = [tmp_path / f"{index}.wav" for index in range(200)]
    for index, path in enumerate(paths):
        path.write_bytes(wav_bytes(speech_like(0.2, 16_000, seed=index).tobytes()) if index % 5 else b"garbage" * 99)
    before = open_files("self")
    with Decoder() as decoder:
        decoder.probe(good)
        in_child = open_files(child_of(decoder))
        for path in paths:
            try:
                decoder.decode_range(MediaSource(str(path)))
            except RecordingError as error:
                assert error.cause == Cause.NOT_MEDIA
        assert open_files(child_of(decoder)) == in_child
        child = child_of(decoder)
    assert open_files("self") == before
    assert not is_running(child)


def test_threads_have_decoders_of_their_own(good):
    expected = decode_range(good).samples
    results: list[bool] = []

    def work() -> None:
        with Decoder() as decoder:
            for _ in range(5):
                results.append(np.array_equal(decoder.decode_range(good).samples, expected))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 15


def _in_a_fork(uri: str) -> None:
    with Decoder() as decoder:
        assert decoder.decode_range(MediaSource(uri)).samples.shape[0] == 2


def test_it_works_in_a_forked_worker_of_a_threaded_parent(good):
    worker = multiprocessing.get_context("fork").Process(target=_in_a_fork, args=(good.uri,))
    worker.start()
    worker.join(60)
    assert worker.exitcode == 0


def test_the_child_has_no_torch_and_cannot_write(decoder, good):
    decoder.probe(good)
    maps = Path(f"/proc/{child_of(decoder)}/maps").read_text()
    assert "torch" not in maps
    limits = Path(f"/proc/{child_of(decoder)}/limits").read_text()
    written = next(line for line in limits.splitlines() if line.startswith("Max file size"))
    assert written.split()[3] == "0"


@pytest.mark.parametrize("uri", ["/dev/zero", "/dev/stdin", "/proc/self/mem"])
def test_devices_are_refused_before_they_are_read(decoder, uri):
    with pytest.raises(RecordingError):
        decoder.decode_range(MediaSource(uri))


@pytest.mark.parametrize(
    "message",
    [
        Message("opened", {"size_bytes": 1, "num_channels": 10**9, "expected_samples": 10**12}),
        Message("opened", {"surprise": 1}),
        Message("samples", {}, bytes(3)),
        Message("summary", {"notes": [{"cause": "no such cause", "message": ""}]}),
    ],
)
def test_a_child_in_other_hands_is_a_crash_of_its_file_and_takes_no_memory(decoder, good, monkeypatch, message):
    decoder.probe(good)
    monkeypatch.setattr("funasr_beam.model.audio.sandbox._Child.answers", lambda _: iter([message]))
    with pytest.raises(RecordingError, match="nonsense") as caught:
        decoder.decode_range(good)
    assert caught.value.cause == Cause.DECODER_CRASHED
    assert decoder.pid is None


@pytest.fixture
def no_pauses(monkeypatch):
    monkeypatch.setattr(sandbox, "_START_PAUSES_S", (0.0, 0.0, 0.0))


@pytest.mark.usefixtures("no_pauses")
def test_a_machine_that_starts_no_process_is_not_the_files_fault(good, monkeypatch):
    def refuse(*_, **__):
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    with monkeypatch.context() as refusing, pytest.raises(RunError, match=r"temporarily unavailable.*ulimit"):
        refusing.setattr(subprocess, "Popen", refuse)
        Decoder().probe(good)


@pytest.mark.usefixtures("no_pauses")
def test_a_child_that_dies_before_it_has_seen_a_file_is_not_the_files_fault(good, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(RunError, match="exit status 1"):
        Decoder().probe(good)


@pytest.mark.usefixtures("no_pauses")
def test_a_child_that_starts_at_the_second_try_will_do(good, monkeypatch):
    environment, tries = sandbox._environment, iter([{"PYTHONHOME": "/nowhere"}])
    monkeypatch.setattr(sandbox, "_environment", lambda: environment() | next(tries, {}))
    with Decoder() as decoder:
        assert decoder.probe(good).num_channels == 2


def test_few_open_files_are_enough(good):
    script = (
        "from funasr_beam.model.audio.sandbox import Decoder, MediaSource\n"
        f"print(Decoder().probe(MediaSource({good.uri!r})).num_channels)"
    )
    command = ["sh", "-c", 'ulimit -n 40; exec "$@"', "sh", sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.returncode) == ("2", 0), done.stderr
