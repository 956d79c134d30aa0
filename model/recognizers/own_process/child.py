"""The process of a recogniser: loads it and serves its owner until that is gone."""

import logging
import os
import pickle
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from funasr_beam.model.batching import free_memory, is_fatal, is_out_of_memory
from funasr_beam.model.recognizers.base import Recognizer, Utterance
from funasr_beam.model.recognizers.own_process.wire import Answer, Loaded, Logged, Request, receive, send
from funasr_beam.model.records import Failure, Hypothesis
from funasr_beam.model.stage_clock import StageClock
from funasr_beam.model.turns import Work

_THREADS = 8  # an owner has fewer requests under way
SWITCH_S = 0.0002
"""A thread that computes in Python gives the interpreter's lock to the one that launches so soon, not after 5 ms."""

_log = logging.getLogger("funasr_beam")


def main() -> None:
    """Load what the first message names, then serve requests until the owner has gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in the terminal is the owner's to act on
    sys.setswitchinterval(SWITCH_S)
    owner = _Owner(socket.socket(fileno=int(sys.argv[1])))
    _log.addHandler(owner)
    _log.setLevel(logging.INFO)  # what is shown of it is the owner's to say
    order = owner.next()
    try:
        _compute_on(order.device)
        recognizer = order.load()
    except Exception as error:  # noqa: BLE001 - the owner raises it
        owner.send(_sendable(error))
        return
    owner.send(Loaded(recognizer.describe(), recognizer.batch_limits))
    service = _Service(recognizer, order.clock, owner)
    with ThreadPoolExecutor(_THREADS, "serve", _compute_on, (order.device,)) as pool:
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

    def send(self, message: Any) -> None:
        """Send one message."""
        try:
            with self._sending:
                send(self._connection, message)
        except OSError:
            os._exit(0)

    def emit(self, record: logging.LogRecord) -> None:
        """Pass a line on."""
        self.send(Logged(record.levelno, record.getMessage()))


@dataclass(frozen=True)
class _Service:
    """Answers requests, several at once: one is prepared while another one has the device."""

    recognizer: Recognizer
    clock: StageClock
    owner: _Owner

    def answer(self, request: Request) -> None:
        """Recognise, and tell what it took."""
        work = Work()
        outcome = self._recognized(request.utterances)
        if isinstance(outcome, Exception) and is_out_of_memory(outcome):
            free_memory()  # here: in the handler a traceback holds the tensors that did not fit
        self.owner.send(Answer(request.number, outcome, work.worked_s, work.gpu_s, self.clock.take()))

    def _recognized(self, utterances: Sequence[Utterance]) -> Sequence[Hypothesis | Failure] | Exception:
        try:
            return list(self.recognizer.recognize(utterances))
        except Exception as error:  # noqa: BLE001 - the owner raises it
            if is_fatal(error):  # a GPU that has failed once fails this process for good; a new one finds it well
                sys.stderr.write(f"{error}\n".partition("\n")[0])
                sys.stderr.flush()
                os._exit(1)
            return _sendable(error)


def _sendable(error: Exception) -> Exception:
    """The error, or its text where it cannot be sent, with the place where it was raised."""
    place = f"In the recogniser's process:\n{''.join(traceback.format_exception(error))}"
    error.__cause__ = error.__context__ = None
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


def _compute_on(device: str) -> None:
    """Make this GPU the one that libraries ask in this thread."""
    if device != "cpu":
        import torch

        torch.cuda.set_device(device)


if __name__ == "__main__":
    main()
