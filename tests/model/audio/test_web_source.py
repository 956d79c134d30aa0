"""Recordings on web servers, with ranges and without, on good days and bad."""

import contextlib
import functools
import http.server
import os
import re
import threading
from dataclasses import replace

import pytest

from funasr_beam.model import backoff
from funasr_beam.model.audio import source
from funasr_beam.model.audio.source import MediaSource
from funasr_beam.model.errors import Cause, RecordingError
from funasr_beam.model.listing import list_inputs
from funasr_beam.model.records import RecognitionOptions
from tests.faults.proxy import Faults, proxy_to

CONTENT = os.urandom(300_000)


class Plain(http.server.SimpleHTTPRequestHandler):
    """A web server that knows no ranges, as Python's does not."""

    def log_message(self, *arguments):
        """Nothing on the screen."""


class Ranges(Plain):
    """A web server that answers for a part with the part."""

    def do_GET(self):
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if not wanted or not self.path.endswith("a.bin"):
            super().do_GET()
            return
        first, last = int(wanted[1]), min(int(wanted[2] or len(CONTENT) - 1), len(CONTENT) - 1)
        self.server.asked += last - first + 1
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {first}-{last}/{len(CONTENT)}")
        self.send_header("Content-Length", str(last - first + 1))
        self.end_headers()
        self.wfile.write(CONTENT[first : last + 1])


@contextlib.contextmanager
def serve(folder, handler):
    (folder / "a.bin").write_bytes(CONTENT)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(handler, directory=str(folder)))
    server.asked = 0
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield server, f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("handler", [Plain, Ranges])
def test_a_file_is_read_at_any_place_whether_the_server_knows_ranges_or_not(tmp_path, handler):
    with serve(tmp_path, handler) as (_, address), MediaSource(f"{address}/a.bin").open() as file:
        assert file.size == len(CONTENT)
        assert file.read_at(200_000, 7) == CONTENT[200_000:200_007]
        assert file.read(10) == CONTENT[:10]
        file.seek(-5, os.SEEK_END)
        assert file.read() == CONTENT[-5:]


def test_with_ranges_only_what_is_needed_is_fetched(tmp_path, monkeypatch):
    monkeypatch.setattr(source, "READ_AHEAD_BYTES", 1000)
    with serve(tmp_path, Ranges) as (server, address), MediaSource(f"{address}/a.bin").open() as file:
        assert file.read(500) == CONTENT[:500]
        assert server.asked < 5000


def test_a_large_file_on_a_server_without_ranges_is_a_message(tmp_path, monkeypatch):
    monkeypatch.setattr(source, "MOST_BYTES_WITHOUT_RANGES", 1000)
    with serve(tmp_path, Plain) as (_, address), pytest.raises(RecordingError) as caught:
        MediaSource(f"{address}/a.bin").open()
    assert caught.value.cause is Cause.STORAGE_UNAVAILABLE
    assert "ranges" in caught.value.message


def test_what_is_not_there_has_its_cause(tmp_path):
    with serve(tmp_path, Ranges) as (_, address), pytest.raises(RecordingError) as caught:
        MediaSource(f"{address}/b.bin").open()
    assert caught.value.cause is Cause.NOT_FOUND


def test_a_bad_server_gives_the_right_bytes_after_some_tries(tmp_path, monkeypatch):
    monkeypatch.setattr(backoff, "FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(source, "READ_AHEAD_BYTES", 20_000)
    with serve(tmp_path, Ranges) as (_, address):
        faults = replace(Faults.of_each_kind(0.05, seed=5), slow_s=0.01)
        with proxy_to(address, faults) as proxy:
            for _ in range(4):
                with MediaSource(f"{proxy.endpoint}/a.bin").open() as file:
                    assert b"".join(iter(lambda: file.read(7000), b"")) == CONTENT
        assert sum(count for kind, count in proxy.done.items() if kind != "none") > 10


def test_a_server_that_is_down_is_no_missing_file(tmp_path, monkeypatch):
    monkeypatch.setattr(backoff, "FIRST_PAUSE_S", 0.001)
    with serve(tmp_path, Ranges) as (_, address), proxy_to(address, Faults(error=1.0)) as proxy:
        with pytest.raises(RecordingError) as caught:
            MediaSource(f"{proxy.endpoint}/a.bin").open()
        assert caught.value.cause is Cause.STORAGE_UNAVAILABLE


def test_a_signed_manifest_names_its_neighbours(tmp_path):
    with serve(tmp_path, Plain) as (_, address):
        (tmp_path / "list.csv").write_text("uri,link\na.bin,https://h/x?sig=abc&part=1\n")
        (listed,) = list_inputs([f"{address}/list.csv?sig=abc/def"], RecognitionOptions(), str(tmp_path / "out"))
    assert listed.recording.uri == f"{address}/a.bin"
    assert listed.recording.size_bytes == len(CONTENT)
    assert listed.recording.metadata == {"link": "https://h/x?part=1"}
    assert listed.failure is None
