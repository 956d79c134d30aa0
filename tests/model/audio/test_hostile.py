"""The whole hostile set, through the sandbox as in a run: no crash, no hang, the right cause, nothing else touched."""

import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from funasr_beam.model.audio.limits import DecodeLimits
from funasr_beam.model.audio.sandbox import Decoder
from funasr_beam.model.audio.source import MediaSource
from funasr_beam.model.errors import RecordingError
from tests.hostile_media import CANARY, OK, HostileFile, make_hostile_set

LIMITS = DecodeLimits(stall_s=60, base_s=120, s_per_mb=1)


@dataclass
class Canary:
    """A server that nobody should ask."""

    url: str = ""
    asked: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def canary() -> Iterator[Canary]:
    found = Canary()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    found.url = f"http://127.0.0.1:{server.server_port}"
    yield found
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory, canary: Canary) -> list[HostileFile]:
    return make_hostile_set(tmp_path_factory.mktemp("hostile"), canary.url)


def outcome(decoder: Decoder, path: Path) -> set[str]:
    """ "ok", the causes of notes, or the cause of the failure."""
    try:
        causes = decoder.decode_range(MediaSource(str(path))).causes
    except RecordingError as error:
        assert str(path) in error.message
        return {error.cause.value}
    return {cause.value for cause in causes} or {OK}


def test_the_set_has_sixty_files_of_twenty_kinds(hostile):
    assert len(hostile) >= 60
    assert len(Counter(file.kind for file in hostile)) >= 20


@pytest.mark.slow
def test_every_hostile_file_ends_with_the_right_cause_and_touches_nothing_else(hostile, canary):
    opened_before = (hostile[0].path.parent / CANARY).stat().st_atime_ns
    wrong = {}
    with Decoder(LIMITS) as decoder:
        for file in hostile:
            found = outcome(decoder, file.path)
            if not found <= file.expected or (file.must is not None and file.must not in found):
                wrong[file.id] = (found, file.expected)
    assert wrong == {}
    assert canary.asked == []
    assert (hostile[0].path.parent / CANARY).stat().st_atime_ns == opened_before


@pytest.mark.slow
def test_probing_every_hostile_file_ends_with_a_cause_or_a_duration_that_its_bytes_can_hold(hostile, canary):
    with Decoder(LIMITS) as decoder:
        for file in hostile:
            try:
                media = decoder.probe(MediaSource(str(file.path)))
            except RecordingError:
                continue
            assert media.duration_s is not None
            assert media.duration_s <= file.path.stat().st_size * 8 / 50
    assert canary.asked == []
