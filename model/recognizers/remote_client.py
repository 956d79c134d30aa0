"""One request to an OpenAI-compatible transcription endpoint, until it is answered or hopeless."""

import json
import os
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any

import requests
from requests.auth import AuthBase

from funasr_beam.model.endpoint import Endpoint
from funasr_beam.model.errors import Cause, RecordingError, RunError
from funasr_beam.model.recognizers.base import RemoteSettings
from funasr_beam.model.records import Seconds
from funasr_beam.model.redaction import HIDDEN, redact

_TRY_AGAIN = frozenset({408, 409, 425, 429, *range(500, 600)})
_LARGEST_ANSWER = 4 * 2**20
_LONGEST_PAUSE_S = 60.0
_PROBE_TIMEOUT_S = 15.0


class _Bearer(AuthBase):
    """Sends the key, whatever a .netrc of this machine says; never shows it."""

    def __init__(self, key: str | None) -> None:
        self._key = key

    def __call__(self, request: Any) -> Any:
        if self._key:
            request.headers["Authorization"] = f"Bearer {self._key}"
        return request

    def hide(self, text: str) -> str:
        """The text without the key, should a server repeat it."""
        return redact(text.replace(self._key, HIDDEN) if self._key else text)


class _TryAgainError(Exception):
    """An answer that another try may mend."""

    def __init__(self, cause: Cause, message: str, pause_s: Seconds | None = None) -> None:
        super().__init__(message)
        self.cause = cause
        self.pause_s = pause_s


@dataclass
class _Pace:
    """Lets requests begin at a steady rate, whoever asks."""

    per_minute: float
    _next_at: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def wait(self, pause: Callable[[Seconds], None]) -> None:
        """Return when it is this request's turn."""
        if self.per_minute <= 0:
            return
        with self._lock:
            now = time.monotonic()
            at = max(self._next_at, now)
            self._next_at = at + 60.0 / self.per_minute
        if at > now:
            pause(at - now)


class RemoteClient:
    """Asks one endpoint; several threads may use it at once."""

    def __init__(
        self, endpoint: Endpoint, settings: RemoteSettings, pause: Callable[[Seconds], None] = time.sleep
    ) -> None:
        self._endpoint, self._settings, self._pause = endpoint, settings, pause
        self._auth = _Bearer(os.environ.get(settings.api_key_variable))
        self._pace = _Pace(settings.requests_per_minute)
        self._local = threading.local()

    def probe(self) -> None:
        """Find out cheaply whether the endpoint lets us in, before any work begins.

        Raises:
            RunError: nobody answers there, or the key is missing or wrong.
        """
        try:
            with self._session.get(
                f"{self._endpoint.base_url}/models", auth=self._auth, timeout=_PROBE_TIMEOUT_S, allow_redirects=False
            ) as response:
                self._check_access(response.status_code, "")
        except requests.RequestException as error:
            reason = self._auth.hide(str(error).rpartition(": ")[2].strip(" '\")"))
            remedy = "is the service running, and is this its address? --model https://HOST/v1#MODEL-NAME"
            raise RunError(
                f"{self._endpoint.base_url} cannot be reached: {reason or type(error).__name__}; {remedy}"
            ) from error

    def transcribe(self, wav: bytes, fields: Mapping[str, str]) -> Mapping[str, Any]:
        """The endpoint's answer for one file: an object with a `text`.

        Raises:
            RecordingError: it refuses this file, or gives no usable answer whatever is tried.
            RunError: the key is missing or wrong, or there is no such model: every other file would fare alike.
        """
        for attempt in range(1, self._settings.attempts + 1):
            try:
                return self._ask(wav, fields)
            except _TryAgainError as error:
                if attempt == self._settings.attempts:
                    message = f"{self._endpoint.model_id}, {attempt} times: {error}"
                    raise RecordingError(error.cause, message) from error
                self._pause(_pause_s(attempt, error.pause_s))
        raise RecordingError(Cause.REMOTE_UNAVAILABLE, "remote.attempts is 0")

    @property
    def _session(self) -> requests.Session:
        """One connection pool for each thread."""
        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
        session: requests.Session = self._local.session
        return session

    def _ask(self, wav: bytes, fields: Mapping[str, str]) -> Mapping[str, Any]:
        self._pace.wait(self._pause)
        until = time.monotonic() + self._settings.timeout_s
        try:
            with self._session.post(
                f"{self._endpoint.base_url}/audio/transcriptions",
                data={"model": self._endpoint.model, "response_format": "json", "temperature": "0", **fields},
                files={"file": ("segment.wav", wav, "audio/wav")},
                auth=self._auth,
                timeout=(min(10.0, self._settings.timeout_s), self._settings.timeout_s),
                allow_redirects=False,
                stream=True,
            ) as response:
                body = b"".join(_read(response, until))
                self._check(response, body)
                return _answer(body)
        except requests.Timeout as error:
            raise _TryAgainError(Cause.REMOTE_UNAVAILABLE, f"no answer in {self._settings.timeout_s:g} s") from error
        except requests.RequestException as error:
            raise _TryAgainError(
                Cause.REMOTE_UNAVAILABLE, self._auth.hide(f"{type(error).__name__}: {error}")
            ) from error

    def _check(self, response: requests.Response, body: bytes) -> None:
        status = response.status_code
        if status < 300:
            return
        said = self._auth.hide(" ".join(body[:500].decode("utf-8", "replace").split()))[:200]
        if status in _TRY_AGAIN:
            raise _TryAgainError(Cause.REMOTE_UNAVAILABLE, f"HTTP {status} {said}", _retry_after_s(response.headers))
        self._check_access(status, said)
        if status == 404:
            raise RunError(f"{self._endpoint.base_url} knows no model {self._endpoint.model} for audio: {said}")
        raise RecordingError(Cause.REMOTE_REFUSED, f"{self._endpoint.model_id}: HTTP {status} {said}")

    def _check_access(self, status: int, said: str) -> None:
        """Stop the run where every request would be turned away."""
        variable = self._settings.api_key_variable
        if status in (401, 403):
            has_key = "refuses the key in" if os.environ.get(variable) else "wants a key; set"
            raise RunError(f"{self._endpoint.base_url} {has_key} {variable} (HTTP {status}) {said}".rstrip())
        if 300 <= status < 400:
            raise RunError(f"{self._endpoint.base_url} sends elsewhere (HTTP {status}), which is not followed")


def _read(response: requests.Response, until: float) -> Iterator[bytes]:
    """The body in pieces; a server that drips, or never ends, is given up."""
    size = 0
    for piece in response.iter_content(65_536):
        size += len(piece)
        if time.monotonic() > until:
            raise requests.Timeout("the answer took too long")
        if size > _LARGEST_ANSWER:
            raise _TryAgainError(Cause.REMOTE_ANSWER, f"an answer of more than {_LARGEST_ANSWER:,} bytes")
        yield piece


def _answer(body: bytes) -> Mapping[str, Any]:
    """The object in an answer."""
    try:
        found = json.loads(body)
    except ValueError as error:
        raise _TryAgainError(Cause.REMOTE_ANSWER, f"no JSON but {body[:60]!r}") from error
    if not isinstance(found, dict) or not isinstance(found.get("text"), str):
        raise _TryAgainError(Cause.REMOTE_ANSWER, f"JSON without a text: {body[:60]!r}")
    return found


def _pause_s(attempt: int, told_s: Seconds | None) -> Seconds:
    """How long to wait: as told, and a random part more, so that many workers do not come back at once."""
    bound = min(_LONGEST_PAUSE_S, 0.5 * 2**attempt)
    if told_s is not None:
        return min(_LONGEST_PAUSE_S, told_s) + random.uniform(0, 1)
    return random.uniform(bound / 2, bound)


def _retry_after_s(headers: Mapping[str, str]) -> Seconds | None:
    """What the server asks for, in seconds or as a date; None where it asks for nothing that makes sense."""
    value = headers.get("Retry-After", "").strip()
    if value.replace(".", "", 1).isdecimal():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time()) if value else None
    except ValueError:
        return None
