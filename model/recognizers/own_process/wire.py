"""Messages between a recogniser's process and its owner: a pickle, and behind it the arrays as they lie in memory."""

import pickle
import socket
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from funasr_beam.model.batching import BatchLimits
from funasr_beam.model.checkpoint import CheckpointInfo
from funasr_beam.model.recognizers.base import Recognizer, Utterance
from funasr_beam.model.records import Failure, Hypothesis, Seconds
from funasr_beam.model.stage_clock import StageClock, StageTime

_COUNT = struct.Struct("<I")


@dataclass(frozen=True)
class Order:
    """What a process is to load."""

    load: Callable[[], Recognizer]
    clock: StageClock  # the recogniser's own
    device: str  # "cpu", or a GPU of this name


@dataclass(frozen=True)
class Loaded:
    """The recogniser is ready."""

    info: CheckpointInfo
    limits: BatchLimits


@dataclass(frozen=True)
class Request:
    """Utterances to recognise."""

    number: int
    utterances: Sequence[Utterance]


@dataclass(frozen=True)
class Answer:
    """What came of a request."""

    number: int
    found: Sequence[Hypothesis | Failure] | Exception
    worked_s: Seconds  # without waiting for its turn
    gpu_s: Seconds
    stages: dict[str, StageTime]  # what the recogniser's clock has counted since the last answer


@dataclass(frozen=True)
class Logged:
    """A line for the owner's log."""

    level: int
    text: str


def send(to: socket.socket, message: Any) -> None:
    """Send one message; nothing of an array is copied.

    Raises:
        OSError: nobody is there.
    """
    arrays: list[pickle.PickleBuffer] = []
    head = pickle.dumps(message, protocol=5, buffer_callback=arrays.append)
    parts = [memoryview(head), *(array.raw() for array in arrays)]
    to.sendall(_COUNT.pack(len(parts)) + struct.pack(f"<{len(parts)}Q", *map(len, parts)))
    for part in parts:
        to.sendall(part)


def receive(source: socket.socket) -> Any:
    """Wait for one message.

    Raises:
        EOFError: nobody is there any more.
    """
    (count,) = _COUNT.unpack(_read(source, _COUNT.size))
    sizes = struct.unpack(f"<{count}Q", _read(source, 8 * count))
    head, *arrays = [_read(source, size) for size in sizes]
    return pickle.loads(head, buffers=arrays)


def _read(source: socket.socket, count: int) -> bytearray:
    data = bytearray(count)
    place = memoryview(data)
    while place:
        try:
            received = source.recv_into(place)
        except ConnectionError as error:
            raise EOFError from error
        if not received:
            raise EOFError
        place = place[received:]
    return data
