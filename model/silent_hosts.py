"""Hosts that have long given no answer: thousands of files on them are not each asked for in vain."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import urlsplit

from funasr_beam.model.backoff import ATTEMPTS, with_backoff
from funasr_beam.model.errors import Cause, RecordingError
from funasr_beam.model.records import Seconds
from funasr_beam.model.redaction import public_uri
from funasr_beam.model.storage_trouble import Trouble, storage_errors, trouble_of

PATIENCE_S = 300.0
"""So long every file is asked for with all attempts, as an outage may pass; a dead host costs a run no more."""

ASKED_AGAIN_S = 60.0
"""So often a host that was given up is asked again, and only once: an attempt may take half a minute."""

_Answer = TypeVar("_Answer")


@dataclass
class _Silence:
    """Of a host, since the last time it answered."""

    since_s: Seconds
    asked_s: Seconds


@dataclass
class SilentHosts:
    """Questions to hosts by many threads, and which of the hosts have not answered for long."""

    pause: Callable[[Seconds], None] = time.sleep
    clock: Callable[[], Seconds] = time.monotonic
    _silences: dict[str, _Silence] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def ask_about(self, uri: str, question: Callable[[], _Answer]) -> _Answer:
        """What the storage of a file says, after further attempts where it has a bad moment.

        A refusal is an answer. Files on disks have no host, and are always asked for.

        Raises:
            RecordingError: its host was given up, and it is not time to ask again.
            Exception: what `question` raises in the end.
        """
        host = _host(uri)
        if not host:
            return with_backoff(question, pause=self.pause)
        asked_s = self.clock()
        attempts = self._attempts(host, uri, asked_s)
        try:
            answer = with_backoff(question, attempts, self.pause)
        except storage_errors() as error:
            self._learn(host, asked_s, is_answer=trouble_of(error) is not Trouble.OTHER)
            raise
        self._learn(host, asked_s, is_answer=True)
        return answer

    def _attempts(self, host: str, uri: str, now_s: Seconds) -> int:
        """How often to ask for a file; raises RecordingError for not at all."""
        with self._lock:
            silence = self._silences.get(host)
            if silence is None or now_s - silence.since_s < PATIENCE_S:
                return ATTEMPTS
            if now_s - silence.asked_s >= ASKED_AGAIN_S:
                silence.asked_s = now_s
                return 1
            silent_s = now_s - silence.since_s
        message = f"{public_uri(uri)}: not asked for, as {host} has not answered for {silent_s:.0f} s; try again later"
        raise RecordingError(Cause.STORAGE_UNAVAILABLE, message)

    def _learn(self, host: str, asked_s: Seconds, *, is_answer: bool) -> None:
        with self._lock:
            if is_answer:
                self._silences.pop(host, None)
            else:
                self._silences.setdefault(host, _Silence(asked_s, asked_s))


def _host(uri: str) -> str:
    """Host and port of a URI, or the bucket of an object store; empty for a path."""
    return urlsplit(uri).netloc.rpartition("@")[2] if "://" in uri else ""
