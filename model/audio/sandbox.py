"""Probe and decode untrusted media in a child process that may crash, hang or eat memory without harm."""

import contextlib
import fcntl
import os
import pickle
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import IO

import numpy as np

from funasr_beam.model.audio.decode import WHOLE, DecodedRange, Event, Opened, TimeRange, assemble
from funasr_beam.model.audio.limits import DEFAULT_LIMITS, DecodeLimits
from funasr_beam.model.audio.source import MediaSource
from funasr_beam.model.audio.wire import Message, Request, error_of, summary_of, unpack
from funasr_beam.model.errors import Cause, RecordingError, RunError
from funasr_beam.model.imports import import_path
from funasr_beam.model.records import MediaInfo, Samples
from funasr_beam.model.storage_trouble import SAME_COMMAND

PIPE_BYTES = 2**20
START_S = 60.0
"""Longest time for a child to start, on a machine where everything starts at once."""

_START_PAUSES_S = (0.0, 1.0, 5.0)
"""Before each try to start a child: a machine that is short of memory or processes may have some again."""

LAST = frozenset({"summary", "media", "failure", "stop"})
"""The messages that end an answer."""


class Decoder:
    """A child process that probes and decodes one file after another; a new one takes over when it had to be ended.

    One `Decoder` belongs to one thread at a time. The child starts with the first request and ends with `close`, with
    this process (killed or not), or with a file that it could not stand.

    Example:
        with Decoder() as decoder:
            info = decoder.probe(source)
            first_minute = decoder.decode_range(source, TimeRange(0, 60))
    """

    def __init__(self, limits: DecodeLimits = DEFAULT_LIMITS) -> None:
        self._limits = limits
        self._child: _Child | None = None

    def probe(self, source: MediaSource) -> MediaInfo:
        """What `probe.probe` gives, for any file whatever is in it.

        Raises:
            RecordingError: as `probe.probe`; DECODE_TIMEOUT and DECODER_CRASHED besides.
            RunError: no child can be started.
        """
        answers = list(self._ask(Request(source, self._limits)))
        return next(answer for answer in answers if isinstance(answer, MediaInfo))

    def decode_range(self, source: MediaSource, span: TimeRange = WHOLE) -> DecodedRange:
        """What `decode.decode_range` gives, for any file whatever is in it.

        Raises:
            RecordingError: as `decode.decode_range`; DECODE_TIMEOUT and DECODER_CRASHED besides.
            RunError: no child can be started.
        """
        request = Request(source, self._limits, span.start_s, span.end_s)
        events = (answer for answer in self._ask(request) if not isinstance(answer, MediaInfo))
        return assemble(span.start_s, events)

    @property
    def pid(self) -> int | None:
        """The process number of the child; None where there is none yet."""
        return self._child.pid if self._child is not None else None

    def close(self) -> None:
        """End the child."""
        if self._child is not None:
            self._child.end()
            self._child = None

    def __enter__(self) -> "Decoder":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def _ask(self, request: Request) -> Iterator[Event | MediaInfo]:
        """What answers a request; whatever goes wrong ends the child and becomes a cause."""
        done, reading = False, _Reading(request.limits)
        try:
            for message in self._begun(request).answers():
                done = message.kind in LAST
                yield reading.of(message)
        except TimeoutError as error:
            raise RecordingError(Cause.DECODE_TIMEOUT, f"{request.source.uri}: {error}") from error
        except (EOFError, BrokenPipeError) as error:
            raise RecordingError(Cause.DECODER_CRASHED, self._last_words(request)) from error
        except (ValueError, TypeError, KeyError) as error:
            done = False
            what = f"{request.source.uri}: the decoder process talked nonsense ({error})"
            raise RecordingError(Cause.DECODER_CRASHED, what) from error
        finally:
            if not done:
                self.close()

    def _begun(self, request: Request) -> "_Child":
        """A child that has begun with a request; one that died or hung while it had nothing to do is replaced."""
        if self._child is not None:
            try:
                self._child.begin(request)
                return self._child
            except (EOFError, BrokenPipeError, TimeoutError):
                self.close()
        self._child = _start(request)
        return self._child

    def _last_words(self, request: Request) -> str:
        code = self._child.end() if self._child is not None else None
        return f"{request.source.uri}: the decoder process died (exit status {code}) on this file"


def _start(request: Request) -> "_Child":
    """A new child that has begun with a request.

    Raises:
        RunError: none starts. The file has no part in it: nobody has looked at it yet.
    """
    reason = ""
    for pause_s in _START_PAUSES_S:
        time.sleep(pause_s)
        try:
            child = _Child()
        except OSError as error:  # no process or no pipe is to be had
            reason = str(error)
            continue
        try:
            child.begin(request)
        except (EOFError, BrokenPipeError, TimeoutError) as error:
            reason = f"exit status {child.end()}. {error}".strip(". ")
        else:
            return child
    raise RunError(
        f"the decoder process does not start on this machine ({reason}): it may be short of memory, or allow too few "
        f"processes or open files (ulimit -a); {SAME_COMMAND}"
    )


class _Reading:
    """Makes events of messages, and takes no more from a child than was asked for: it may be in other hands."""

    def __init__(self, limits: DecodeLimits) -> None:
        self._limits = limits
        self._channels = self._frames = 0

    def of(self, message: Message) -> Event | MediaInfo:
        """The event in a message.

        Raises:
            RecordingError: the child tells of one.
            RunError: the child tells of trouble that is not this file's alone.
            ValueError, TypeError, KeyError: nothing that our own child would say.
        """
        if message.kind == "failure":
            raise error_of(message)
        if message.kind == "stop":
            raise RunError(str(message.data["message"]))
        if message.kind == "samples":
            return self._samples(message)
        if message.kind == "opened":
            return self._opened(Opened(**message.data))
        return MediaInfo(**message.data) if message.kind == "media" else summary_of(message)

    def _opened(self, opened: Opened) -> Opened:
        self._channels = opened.num_channels
        if not 0 <= opened.num_channels <= self._limits.max_channels:
            raise ValueError(f"{opened.num_channels} channels")
        return replace(opened, expected_samples=min(opened.expected_samples or 0, self._limits.max_samples))

    def _samples(self, message: Message) -> Samples:
        samples = np.frombuffer(message.payload, np.int16).reshape(self._channels, -1)
        self._frames += samples.shape[1]
        if self._frames > self._limits.max_samples:
            raise ValueError(f"{self._frames} samples")
        return samples


class _Child:
    """One child process and the pipes to it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "funasr_beam.model.audio.sandbox_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,  # Ctrl-C in the terminal goes to the owner alone
            env=_environment(),
        )
        _widen(_pipe(self._process.stdout))
        self._deadline = _Deadline(START_S, START_S)
        self._limits = DEFAULT_LIMITS

    @property
    def pid(self) -> int:
        """The process number."""
        return self._process.pid

    def begin(self, request: Request) -> None:
        """Send a request and wait until the child has it.

        Raises:
            TimeoutError: it does not start.
            EOFError, BrokenPipeError: it has died.
        """
        self._limits = request.limits
        self._deadline = _Deadline(START_S, START_S)
        _pipe(self._process.stdin).write(pickle.dumps(request))
        while unpack(self._read_exactly).kind != "alive":
            pass
        self._deadline = _Deadline(request.limits.stall_s, request.limits.total_s(0))

    def answers(self) -> Iterator[Message]:
        """The messages that answer the request, up to the last.

        Raises:
            TimeoutError: no sign of life for too long, or no end.
            EOFError: the child has died.
        """
        while True:
            message = unpack(self._read_exactly)
            self._deadline.restart(self._limits.stall_s)
            if message.kind == "opened":
                self._deadline.extend(self._limits.total_s(message.data["size_bytes"]))
            if message.kind != "alive":
                yield message
            if message.kind in LAST:
                return

    def end(self) -> int:
        """Kill the process if it lives, wait for it, close the pipes; its exit status."""
        self._process.kill()
        status = self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            _pipe(pipe).close()
        return status

    def _read_exactly(self, count: int) -> bytearray:
        data = bytearray(count)
        place, pipe = memoryview(data), _pipe(self._process.stdout).fileno()
        while place:
            self._wait()
            received = os.readv(pipe, [place])
            if not received:
                raise EOFError
            place = place[received:]
        return data

    def _wait(self) -> None:
        ready = select.poll()
        ready.register(_pipe(self._process.stdout), select.POLLIN)
        if not ready.poll(max(0.0, self._deadline.left_s) * 1000):
            raise TimeoutError(self._deadline.message)


class _Deadline:
    """The sooner of two ends: of patience with silence, and of patience at all."""

    def __init__(self, stall_s: float, total_s: float) -> None:
        self._began = time.monotonic()
        self._total_s = total_s
        self.restart(stall_s)

    def restart(self, stall_s: float) -> None:
        """There was a sign of life."""
        self._stall_s = stall_s
        self._stalled_at = time.monotonic() + stall_s

    def extend(self, total_s: float) -> None:
        """The whole may take so long."""
        self._total_s = total_s

    @property
    def left_s(self) -> float:
        """Seconds until the end of patience."""
        return min(self._stalled_at, self._began + self._total_s) - time.monotonic()

    @property
    def message(self) -> str:
        """Which of the two has ended."""
        if self._stalled_at <= self._began + self._total_s:
            return f"no byte was read and no packet decoded for {self._stall_s:.0f} s"
        return f"decoding did not end within {self._total_s:.0f} s"


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise BrokenPipeError("the process has no pipe")
    return pipe


def _widen(pipe: IO[bytes]) -> None:
    """Let a pipe hold as much as a cell of 30 s, so that the two ends wait for each other once and not 15 times."""
    with contextlib.suppress(OSError):  # more than a user may have; the pipe works as it is
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)


def _environment() -> dict[str, str]:
    """That of this process, with its import path, and one thread for each library: a file is decoded on one core.

    Memory that was freed stays with the child, since each 30 s of audio take the same again: giving it back to the
    system and asking anew took a twelfth of the decoding time.
    """
    threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    memory = {"MALLOC_TRIM_THRESHOLD_": str(2**26), "MALLOC_MMAP_THRESHOLD_": str(2**25)}
    return {**memory, **os.environ, **threads, "PYTHONPATH": import_path()}
