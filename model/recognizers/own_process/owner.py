"""The owner's side: a recogniser that computes in another process, and gets a new one when that dies."""

import collections
import contextlib
import itertools
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from funasr_beam.model.batching import BatchLimits
from funasr_beam.model.checkpoint import CheckpointInfo
from funasr_beam.model.errors import ProcessDiedError, RunError
from funasr_beam.model.imports import import_path
from funasr_beam.model.recognizers.base import Recognizer, Utterance
from funasr_beam.model.recognizers.own_process.wire import Answer, Loaded, Logged, Order, Request, receive, send
from funasr_beam.model.records import Failure, Hypothesis, Seconds
from funasr_beam.model.stage_clock import StageClock
from funasr_beam.model.storage_trouble import SAME_COMMAND
from funasr_beam.model.turns import Places, charge, waiting

AT_ONCE = 3
"""Requests under way: one has the device, one its features, and the samples of one are there already."""
MOST_DEATHS = 16
"""In a row, without an answer between them: a unit is halved to the utterance at fault with fewer."""

PATIENCE_S = 600.0
"""How long a GPU may take beside its share of the seconds of audio that it was given: one that takes longer hangs."""
SLOWEST_X_REALTIME = 4.0
"""So fast is every GPU that is worth its place."""
LOADING_S = 1800.0
"""How long one may take to load a model, from a slow disk."""

_SIGNALS = {each.value: each.name for each in signal.Signals}
_LAST_LINES = 20
_PAUSE_S = 5.0  # a machine that is short of memory may have some again
_END_S = 10.0  # for one that has closed its connection: a GPU's memory is given back first
_log = logging.getLogger("funasr_beam")


class OwnProcessRecognizer:
    """A recogniser whose process does nothing else.

    A launch on a GPU gives the interpreter's lock away and has to get it back; among threads that write texts and rows
    each may wait milliseconds for it, and the device with them. A process that dies, as one does whose GPU has failed
    or that the system took the memory of, costs its requests: the caller tries them again in parts, with a new one.
    """

    def __init__(self, load: Callable[[], Recognizer], clock: StageClock, device: str) -> None:
        """Start the process and wait until it is ready.

        Args:
            load: makes the recogniser, there; it is pickled.
            clock: of that recogniser; this one is told what the other counts.
            device: "cpu", or the name of a GPU.

        Raises:
            Exception: what `load` raises.
            RunError: the process died on it.
        """
        self._order, self._clock = Order(load, clock, device), clock
        self._places = Places(AT_ONCE)
        self._renewing = threading.Lock()
        self._deaths = 0
        self._child = _Child(self._order)

    @property
    def batch_limits(self) -> BatchLimits:
        """How much it is best given at once."""
        return self._child.loaded.limits

    @property
    def pid(self) -> int:
        """The process number."""
        return self._child.pid

    def describe(self) -> CheckpointInfo:
        """Which model this is."""
        return self._child.loaded.info

    def recognize(self, utterances: Sequence[Utterance]) -> Sequence[Hypothesis | Failure]:
        """What the recogniser there gives.

        Raises:
            Exception: what it raises.
            ProcessDiedError: its process is gone; the next call gets a new one.
            RunError: no process lives long enough to answer.
        """
        try:
            with self._places:
                answer = self._ask(utterances)
        except _DiedAmongOthersError:
            with self._places.alone():  # so that it is known whose fault it is
                answer = self._ask(utterances)
        charge(answer.worked_s, answer.gpu_s)
        self._clock.merge(answer.stages)
        if isinstance(answer.found, Exception):
            raise answer.found
        self._deaths = 0
        return answer.found

    def close(self) -> None:
        """End the process."""
        self._child.end()

    def __del__(self) -> None:
        if hasattr(self, "_child"):
            self.close()

    def _ask(self, utterances: Sequence[Utterance]) -> Answer:
        child = self._living()
        with waiting():
            return child.ask(utterances)

    def _living(self) -> "_Child":
        """The process, or a new one for one that has died."""
        with waiting(), self._renewing:
            if self._child.last_words is not None:
                self._child = self._successor(self._child.last_words)
            return self._child

    def _successor(self, last_words: str) -> "_Child":
        while True:
            if self._child.is_stuck:
                raise RunError(last_words)
            self._deaths += 1
            if self._deaths > MOST_DEATHS:
                raise RunError(f"{last_words}, as did the {MOST_DEATHS} before it")
            _log.warning("%s; a new one takes over", last_words)
            try:
                return _Child(self._order)
            except _DiedLoadingError as error:
                last_words = str(error)
                time.sleep(_PAUSE_S)


class _DiedAmongOthersError(ProcessDiedError):
    """It may have been the fault of another request."""


class _DiedLoadingError(RunError):
    """It did not live to answer anything."""


@dataclass(frozen=True)
class _Asked:
    """A request under way."""

    audio_s: Seconds
    answer: Future[Answer] = field(default_factory=Future)


def _begin() -> tuple["subprocess.Popen[bytes]", socket.socket]:
    """A process that waits for its order, and the connection to it.

    Raises:
        _DiedLoadingError: the system starts none.
    """
    ours, theirs = socket.socketpair()
    try:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", f"{__package__}.child", str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=[theirs.fileno()],
            start_new_session=True,  # Ctrl-C in the terminal goes to the owner alone
            env={**os.environ, "PYTHONPATH": import_path()},
        )
    except OSError as error:
        ours.close()
        raise _DiedLoadingError(f"the recogniser's process could not be started ({error})") from error
    finally:
        theirs.close()
    return process, ours


class _Child:
    """One process, and the connection to it."""

    def __init__(self, order: Order) -> None:
        self._device = order.device
        self.last_words: str | None = None  # None: it lives
        self._verdict = ""  # why this side has killed it
        self._said: collections.deque[str] = collections.deque(maxlen=_LAST_LINES)
        self._numbers = itertools.count()
        self._sending, self._changing = threading.Lock(), threading.Lock()
        self._waiting: dict[int, _Asked] = {}
        self._process, self._connection = _begin()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        with contextlib.ExitStack() as unless_it_loads:
            unless_it_loads.callback(self.end)
            self._listener.start()
            self.loaded = self._start(order)
            threading.Thread(target=self._receive, daemon=True).start()
            unless_it_loads.pop_all()

    @property
    def pid(self) -> int:
        """The process number."""
        return self._process.pid

    @property
    def is_stuck(self) -> bool:
        """Whether it was killed and lives on, as a process does whose GPU's driver holds it."""
        return self.last_words is not None and self._process.returncode is None

    @property
    def _is_hurried(self) -> bool:
        """Whether there is an end to patience; a CPU may be as slow as it is."""
        return self._device != "cpu"

    def ask(self, utterances: Sequence[Utterance]) -> Answer:
        """Send a request and wait for what comes of it.

        Raises:
            ProcessDiedError: nothing came.
        """
        asked = _Asked(sum(utterance.duration_s for utterance in utterances))
        number = next(self._numbers)
        with self._changing:
            self._waiting[number] = asked
            audio_s = sum(other.audio_s for other in self._waiting.values())
        patience_s = PATIENCE_S + audio_s / SLOWEST_X_REALTIME
        if self.last_words is not None:  # nobody would tell it any more
            raise _DiedAmongOthersError(self.last_words)
        with self._within(patience_s, "gave no answer"):
            with contextlib.suppress(OSError), self._sending:  # whoever receives is told, too
                send(self._connection, Request(number, utterances))
            return asked.answer.result()

    def end(self) -> None:
        """Kill the process if it lives."""
        self._kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_S)
        with self._sending:  # a file that is opened next may get the connection's number
            self._connection.close()

    def _kill(self) -> None:
        self._process.kill()
        with contextlib.suppress(OSError):  # whoever sends or receives knows it, whoever holds the other end
            self._connection.shutdown(socket.SHUT_RDWR)

    @contextlib.contextmanager
    def _within(self, patience_s: Seconds, lack: str) -> Iterator[None]:
        """Kill the process if what happens inside takes longer; sending, too, waits for one that does not read."""
        timer = threading.Timer(patience_s, self._give_up, [f"it {lack} for {patience_s:.0f} s"])
        timer.daemon = True
        if self._is_hurried:
            timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _give_up(self, verdict: str) -> None:
        self._verdict = verdict
        self._kill()

    def _start(self, order: Order) -> Loaded:
        """Wait until it has loaded.

        Raises:
            Exception: what loading raises.
            RunError: it was not ready in time; another one would be no faster.
            _DiedLoadingError: it died.
        """
        try:
            with self._within(LOADING_S, "was not ready"):
                send(self._connection, order)
                message = self._next()
        except (EOFError, OSError) as error:
            kind = RunError if self._verdict else _DiedLoadingError
            raise kind(f"{self._died()} while it loaded the model") from error
        if isinstance(message, Exception):
            raise message
        loaded: Loaded = message
        return loaded

    def _receive(self) -> None:
        """Give answers to those who wait for them, until the process ends."""
        try:
            with contextlib.suppress(EOFError, OSError):
                while True:
                    self._give(self._next())
        finally:  # whatever it was: without this thread nobody would be told anything
            words = self._died()
            with self._changing:
                self.last_words, left = words, list(self._waiting.values())
            kind = _DiedAmongOthersError if len(left) > 1 else ProcessDiedError
            for asked in left:
                asked.answer.set_exception(kind(words))

    def _next(self) -> Any:
        """The next message that is no line for the log."""
        while isinstance(message := receive(self._connection), Logged):
            _log.log(message.level, "%s", message.text)
        return message

    def _give(self, answer: Answer) -> None:
        with self._changing:
            asked = self._waiting.pop(answer.number)
        asked.answer.set_result(answer)

    def _listen(self) -> None:
        """Keep what it last wrote."""
        if self._process.stderr is not None:
            with self._process.stderr as lines:
                self._said.extend(line.decode(errors="replace").strip() for line in lines if line.strip())

    def _died(self) -> str:
        """How it ended, and what it said last."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_S)
        self.end()
        self._listener.join(_END_S)
        code = self._process.returncode
        if code is None:
            why = f" ({self._verdict})" if self._verdict else ""
            what = f"the recogniser's process {self.pid} was killed{why} and does not end: the driver of {self._device}"
            return f"{what} holds it; restart the machine: {SAME_COMMAND}"
        how = f"exit status {code}" if code >= 0 else f"signal {_SIGNALS.get(-code, -code)}"
        if code == -signal.SIGKILL:  # from outside: what it said last may be a warning of long ago
            why = self._verdict or "the system may be short of memory"
        else:
            why = self._said[-1] if self._said else ""
        return f"the recogniser's process died ({how}): {why}".removesuffix(": ")
