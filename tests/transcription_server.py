"""A real HTTP server with OpenAI's transcription endpoint that behaves as badly as it is told to."""

import email
import json
import threading
import time
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO

KEY = "sk-a-very-secret-key"


@dataclass
class Heard:
    """One request."""

    fields: dict[str, str]
    samples: int
    authorization: str | None


@dataclass
class TranscriptionServer:
    """What it was asked, and what it does next; `script` holds a behaviour for each request, "ok" when it is empty."""

    url: str = ""
    script: list[str] = field(default_factory=list)
    door: int = 200  # status of GET /models
    heard: list[Heard] = field(default_factory=list)
    most_at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    at_once: int = 0
    done: threading.Event = field(default_factory=threading.Event)

    def next(self) -> str:
        with self.lock:
            return self.script.pop(0) if self.script else "ok"


@contextmanager
def serve_transcriptions() -> Iterator[TranscriptionServer]:
    """A server on a free port of this machine."""
    state = TranscriptionServer()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"state": state}))
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        state.done.set()
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: TranscriptionServer

    def do_GET(self) -> None:
        self._send(self.state.door, json.dumps({"data": [{"id": "tiny"}]}))

    def do_POST(self) -> None:
        state = self.state
        with state.lock:
            state.at_once += 1
            state.most_at_once = max(state.most_at_once, state.at_once)
        try:
            heard = self._hear()
            with state.lock:
                state.heard.append(heard)
            self._behave(state.next(), heard)
        finally:
            with state.lock:
                state.at_once -= 1

    def _hear(self) -> Heard:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        message = email.message_from_bytes(
            b"Content-Type: " + self.headers["Content-Type"].encode() + b"\r\n\r\n" + body
        )
        fields, samples = {}, 0
        for part in message.get_payload():
            name, content = part.get_param("name", header="content-disposition"), part.get_payload(decode=True)
            if name == "file":
                with wave.open(BytesIO(content)) as file:
                    samples = file.getnframes()
            else:
                fields[name] = content.decode()
        return Heard(fields, samples, self.headers.get("Authorization"))

    def _behave(self, behaviour: str, heard: Heard) -> None:
        kind, _, value = behaviour.partition(":")
        answer = json.dumps({"text": f" heard {heard.samples} ", "language": "English"})
        if kind == "ok":
            self._send(200, answer)
        elif kind == "slow":
            time.sleep(float(value))
            self._send(200, answer)
        elif kind == "status":
            self._send(int(value), json.dumps({"error": f"no, {heard.authorization}"}))
        elif kind == "busy":
            self._send(429, "{}", {"Retry-After": value})
        elif kind == "body":
            self._send(200, value)
        elif kind == "cut":
            self._send(200, answer, {"Content-Length": str(len(answer) + 50)}, whole=False)
            self.close_connection = True
        elif kind == "drip":
            self._drip()
        elif kind == "hang":
            self.state.done.wait(20)

    def _drip(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        while not self.state.done.wait(0.05):
            try:
                self.wfile.write(b" " * 70_000)
            except OSError:
                return

    def _send(self, status: int, body: str, headers: dict[str, str] | None = None, *, whole: bool = True) -> None:
        self.send_response(status)
        length = {} if not whole else {"Content-Length": str(len(body.encode()))}
        for name, value in ({"Content-Type": "application/json"} | length | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *arguments: object) -> None:
        """Quiet."""
