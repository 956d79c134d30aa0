"""The process of a recogniser: loads it and serves its owner until that is gone."""

import contextlib
import logging
import os
import pickle
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from funasr_beam.model.batching import free_memory, is_fatal, is_out_of_memory
from funasr_beam.model.devices import computing_on
from funasr_beam.model.recognizers.base import Recognizer
from funasr_beam.model.recognizers.own_process.wire import Answer, Loaded, Logged, Order, Request, receive, send
from funasr_beam.model.turns import Work

_THREADS = 8  # an owner has fewer requests under way
SWITCH_S = 0.0002
"""A thread that computes in Python gives the interpreter's lock to the one that launches so soon, not after 5 ms."""

_Found = TypeVar("_Found")
_log = logging.getLogger("funasr_beam")


def main() -> None:
    """Load what the first message names, then serve requests until the owner has gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in the terminal is the owner's to act on
    sys.setswitchinterval(SWITCH_S)
    connection = socket.socket(fileno=int(sys.argv[1]))
    connection.set_inheritable(False)  # a process that a library starts would keep it open after this one has died
    owner = _Owner(connection)
    _log.addHandler(owner)
    _log.setLevel(logging.INFO)  # what is shown of it is the owner's to say
    order = owner.next()
    threading.Thread(target=owner.watch, daemon=True).start()
    recognizer = _attempt(order.load, order.device)
    if isinstance(recognizer, Exception):
        owner.send(_sendable(recognizer))
        return
    owner.send(Loaded(recognizer.describe(), recognizer.batch_limits))
    service = _Service(recognizer, order, owner)
    with ThreadPoolExecutor(_THREADS, "serve") as pool:
        while True:
            pool.submit(service.answer, owner.next()).add_done_callback(_give_up_on_mistakes)


class _Owner(logging.Handler):
    """Whoever asked for this process; what is logged here stands in its log."""

    def __init__(self, connection: socket.socket) -> None:
        super().__init__()
        self._connection = connection
        self._sending = threading.Lock()

    def next(self) -> Any:
        """The next message; without an owner the process ends here, whatever it does."""
        try:
            return receive(self._connection)
        except EOFError:
            os._exit(0)

    def watch(self) -> None:
        """End the process if its owner goes while it loads: what it loads may be tens of gigabytes, or hang."""
        with contextlib.suppress(ConnectionError):
            if self._connection.recv(1, socket.MSG_PEEK):
                return  # the first request, which whoever serves takes
        os._exit(0)

    def send(self, message: Any) -> None:
        """Send one message."""
        try:
            with self._sending:
                send(self._connection, message)
        except OSError:
            os._exit(0)

    def emit(self, record: logging.LogRecord) -> None:
        """Pass a line on."""
        try:
            text = record.getMessage()
        except (TypeError, ValueError, KeyError):  # a library's mistake is no failure of what it works on
            self.handleError(record)
        else:
            self.send(Logged(record.levelno, text))


@dataclass(frozen=True)
class _Service:
    """Answers requests, several at once: one is prepared while another one has the device."""

    recognizer: Recognizer
    order: Order
    owner: _Owner

    def answer(self, request: Request) -> None:
        """Recognise, and tell what it took."""
        work = Work()
        found = _attempt(lambda: list(self.recognizer.recognize(request.utterances)), self.order.device)
        if isinstance(found, Exception):
            found = _settle(found)
        self.owner.send(Answer(request.number, found, work.worked_s, work.gpu_s, self.order.clock.take()))


def _attempt(work: Callable[[], _Found], device: str) -> _Found | Exception:
    """What comes of it, with this device for the one that libraries ask; or what went wrong, for the owner to raise."""
    try:
        with computing_on(device):
            return work()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the owner's
        return error


def _settle(error: Exception) -> Exception:
    """The error for the owner, with the memory free that it held; ends the process where the device is lost to it."""
    if is_fatal(error):  # a GPU that has failed once fails this process for good; a new one finds it well
        sys.stderr.write(f"{error}\n".partition("\n")[0])
        sys.stderr.flush()
        os._exit(1)
    error = _sendable(error)
    if is_out_of_memory(error):
        free_memory()
    return error


def _sendable(error: Exception) -> Exception:
    """The error, or its text where it cannot be sent, with the place where it was raised as a note.

    Its traceback is gone: that holds what was computed with, be it gigabytes.
    """
    place = f"In the recogniser's process:\n{''.join(traceback.format_exception(error))}"
    error.__traceback__ = error.__cause__ = error.__context__ = None
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # noqa: BLE001 - whatever a class of errors forgot
        error = RuntimeError(f"{type(error).__name__}: {error}")
    error.add_note(place)
    return error


def _give_up_on_mistakes(done: Future[None]) -> None:
    """Nobody would ever get an answer."""
    if error := done.exception():
        traceback.print_exception(error)
        os._exit(1)


if __name__ == "__main__":
    main()
