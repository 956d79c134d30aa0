"""The child process of `sandbox`: decodes one request after another from its standard input until its owner is gone."""

import contextlib
import faulthandler
import os
import pickle
import resource
import signal
import threading
import time
from typing import BinaryIO

import numpy as np

from funasr_beam.model.audio.decode import DecodeSummary, Opened, TimeRange, decode_events
from funasr_beam.model.audio.limits import DecodeLimits
from funasr_beam.model.audio.probe import probe_file
from funasr_beam.model.audio.source import MediaFile
from funasr_beam.model.audio.wire import Message, Request, failure_message, opened_message, pack, summary_message
from funasr_beam.model.errors import Cause, RecordingError, RunError

BEAT_S = 0.5
MAX_OPEN_FILES = 256


def main() -> None:
    """Serve requests until end of file."""
    requests, answers = _claim_pipes()
    _isolate()
    owner = _Owner(answers)
    owner.send(Message("ready", {}))
    while (request := _next_request(requests)) is not None:
        _limit_memory(request.limits)
        owner.arm(request.limits)
        _serve(request, owner)
        faulthandler.cancel_dump_traceback_later()


class _Owner:
    """The process that asked: gets messages and signs of life."""

    def __init__(self, answers: BinaryIO) -> None:
        self._answers = answers
        self._last_beat = 0.0
        self._fuse_s = 0.0
        self._devnull = open(os.devnull, "w")  # noqa: SIM115, PTH123 - lives as long as the process

    def arm(self, limits: DecodeLimits) -> None:
        """From now on, end this process when it shows no life for much longer than its owner would wait."""
        self._fuse_s = 2 * limits.stall_s + 10
        self._last_beat = 0.0  # the first beat is the receipt of the request
        self.beat()

    def beat(self) -> None:
        """Tell that work goes on, at most twice a second; the timer runs in C and needs no interpreter."""
        now = time.monotonic()
        if now - self._last_beat >= BEAT_S:
            self._last_beat = now
            faulthandler.dump_traceback_later(self._fuse_s, exit=True, file=self._devnull)
            self.send(Message("alive", {}))

    def send(self, message: Message) -> None:
        """Write one message; an owner that is gone ends this process."""
        try:
            self._answers.write(pack(message))
            self._answers.write(message.payload)
            self._answers.flush()
        except BrokenPipeError:
            os._exit(0)


def _serve(request: Request, owner: _Owner) -> None:
    try:
        with request.source.open() as file:
            file.on_progress = owner.beat
            _answer(request, file, owner)
    except RecordingError as error:
        owner.send(failure_message(error))
    except RunError as error:
        owner.send(Message("stop", {"message": str(error)}))
    except MemoryError:
        owner.send(
            failure_message(
                RecordingError(
                    Cause.OUT_OF_MEMORY, f"{request.source.uri}: decoding asks for more memory than is allowed"
                )
            )
        )


def _answer(request: Request, file: MediaFile, owner: _Owner) -> None:
    if request.start_s is None:
        owner.send(Message("opened", {"size_bytes": file.size, "num_channels": 0, "expected_samples": None}))
        owner.send(Message("media", vars(probe_file(file, request.limits))))
        return
    for event in decode_events(file, TimeRange(request.start_s, request.end_s), request.limits):
        if isinstance(event, Opened):
            owner.send(opened_message(event))
        elif isinstance(event, DecodeSummary):
            owner.send(summary_message(event))
        else:
            owner.send(Message("samples", {}, np.ascontiguousarray(event).reshape(-1).view(np.uint8).data))


def _next_request(requests: BinaryIO) -> Request | None:
    try:
        request = pickle.load(requests)
    except EOFError:
        return None
    if not isinstance(request, Request):
        raise TypeError(f"no request: {request!r}")
    return request


def _claim_pipes() -> tuple[BinaryIO, BinaryIO]:
    """The two pipes to the owner, out of reach of anything that prints."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    os.close(nothing)
    return requests, answers


def _isolate() -> None:
    """Leave Ctrl-C to the owner, write no file, dump no core, and end with the owner however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MAX_OPEN_FILES if hard == resource.RLIM_INFINITY else min(MAX_OPEN_FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    threading.Thread(target=_leave_with, args=(os.getppid(),), daemon=True).start()


def _leave_with(parent: int) -> None:
    # PR_SET_PDEATHSIG would fire when the *thread* ends that started this process, so the parent is watched instead.
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(0)


def _limit_memory(limits: DecodeLimits) -> None:
    """Bound the address space to what is there and what a decode may add."""
    with open("/proc/self/statm", encoding="ascii") as statm:  # noqa: PTH123
        present = int(statm.read().split()[0]) * resource.getpagesize()
    with contextlib.suppress(ValueError, OSError):  # a hard limit below is stricter already
        resource.setrlimit(resource.RLIMIT_AS, (present + limits.max_memory_bytes, resource.RLIM_INFINITY))


if __name__ == "__main__":
    main()
