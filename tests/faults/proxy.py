"""A small HTTP proxy that does to its clients what object stores do on a bad day, the same for the same seed."""

import contextlib
import http.client
import random
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

_ERROR = '<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>{message}</Message></Error>'
_DROPPED_HEADERS = {"connection", "transfer-encoding", "keep-alive", "content-length"}


@dataclass(frozen=True)
class Faults:
    """How often each kind of fault happens to a request, and what decides which."""

    seed: int = 0
    throttle: float = 0.0  # 503 SlowDown, nothing is done
    error: float = 0.0  # 500 InternalError, nothing is done
    reset: float = 0.0  # the connection is reset: for half of them before, for half after the request was done
    cut: float = 0.0  # the answer ends in the middle of its body, as if the connection had been closed
    slow: float = 0.0  # the answer waits
    slow_s: float = 0.3

    @classmethod
    def of_each_kind(cls, share: float, seed: int) -> "Faults":
        """Every kind equally often."""
        return cls(seed, share, share, share, share, share)

    def of(self, number: int) -> str | None:
        """The fault of the n-th request; None for an honest answer."""
        kinds = ("throttle", "error", "reset_before", "reset_after", "cut", "slow")
        shares = (self.throttle, self.error, self.reset / 2, self.reset / 2, self.cut, self.slow)
        (kind,) = random.Random(f"{self.seed}-{number}").choices((None, *kinds), (max(0.0, 1 - sum(shares)), *shares))
        return kind


@dataclass
class Proxy:
    """A running proxy: where it listens, what it did, and the switches of a test."""

    endpoint: str
    faults: Faults
    done: Counter[str] = field(default_factory=Counter)  # requests by fault; "none" for honest answers
    paths: list[tuple[str, str]] = field(default_factory=list)  # method and path of every request
    expired: bool = False  # every request is told that its credentials have expired
    hangs: Callable[[str, str], bool] = lambda method, path: False  # answers that begin and never end
    stopped: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def next_fault(self, method: str, path: str) -> str | None:
        """What happens to this request."""
        with self._lock:
            number = len(self.paths)
            self.paths.append((method, path))
            fault = "expired" if self.expired else "hang" if self.hangs(method, path) else self.faults.of(number)
            self.done[fault or "none"] += 1
        return fault


@contextlib.contextmanager
def proxy_to(endpoint: str, faults: Faults = Faults()) -> Iterator[Proxy]:
    """A proxy before an HTTP server."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.upstream = urlsplit(endpoint).netloc
    server.proxy = Proxy(f"http://127.0.0.1:{server.server_address[1]}", faults)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server.proxy
    finally:
        server.proxy.stopped.set()
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    upstream: str
    proxy: Proxy

    def handle_error(self, request, client_address):
        """Clients that hang up are no news here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *arguments):
        """Nothing on the screen."""

    def _serve(self) -> None:
        body = self._request_body()
        match self.server.proxy.next_fault(self.command, self.path):
            case "throttle":
                self._refuse(503, "SlowDown", "Please reduce your request rate.")
            case "error":
                self._refuse(500, "InternalError", "We encountered an internal error. Please try again.")
            case "expired":
                self._refuse(400, "ExpiredToken", "The provided token has expired.")
            case "reset_before":
                self._reset()
            case "reset_after":
                self._ask(body)
                self._reset()
            case fault:
                self._answer(*self._ask(body), fault)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _serve  # noqa: N815 - names of the base class

    def _request_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _ask(self, body: bytes) -> tuple[http.client.HTTPResponse, bytes]:
        upstream = http.client.HTTPConnection(self.server.upstream, timeout=60)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _DROPPED_HEADERS}
        if body or self.command in ("PUT", "POST"):
            headers["Content-Length"] = str(len(body))
        upstream.request(self.command, self.path, body or None, headers)
        response = upstream.getresponse()
        content = response.read()
        upstream.close()
        return response, content

    def _answer(self, response: http.client.HTTPResponse, content: bytes, fault: str | None) -> None:
        if fault == "slow":
            time.sleep(self.server.proxy.faults.slow_s)
        if fault == "cut" and not content:
            self._reset()
            return
        self.send_response_only(response.status, response.reason)
        for name, value in response.getheaders():
            if name.lower() not in _DROPPED_HEADERS:
                self.send_header(name, value)
        length = response.getheader("Content-Length") if self.command == "HEAD" else str(len(content))
        if length is not None and response.status != 204:
            self.send_header("Content-Length", length)
        self.end_headers()
        self._send(content, fault)

    def _send(self, content: bytes, fault: str | None) -> None:
        if fault in ("cut", "hang"):
            self.wfile.write(content[: len(content) // 2])
            self.wfile.flush()
            if fault == "hang":
                self.server.proxy.stopped.wait()
            self.close_connection = True
            return
        self.wfile.write(content)

    def _refuse(self, status: int, code: str, message: str) -> None:
        content = b"" if self.command == "HEAD" else _ERROR.format(code=code, message=message).encode()
        self.send_response_only(status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _reset(self) -> None:
        """End the connection with RST instead of FIN."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True
