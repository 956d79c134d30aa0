"""Messages between a decoder process and its owner: a JSON header and raw bytes, never a pickle from the child.

The child has run a decoder over untrusted bytes, so what it says is untrusted as well: plain data, checked sizes.
"""

import json
import struct
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from funasr_beam.model.audio.decode import DecodeNote, DecodeSummary, Opened
from funasr_beam.model.audio.limits import DecodeLimits
from funasr_beam.model.audio.source import MediaSource
from funasr_beam.model.errors import Cause, RecordingError
from funasr_beam.model.records import MediaInfo, Seconds

PREFIX = struct.Struct("<II")  # bytes of header, bytes of payload
MAX_HEADER_BYTES = 2**20
MAX_PAYLOAD_BYTES = 2**28


@dataclass(frozen=True)
class Request:
    """What an owner asks: to probe (no start), or to decode a range."""

    source: MediaSource
    limits: DecodeLimits
    start_s: Seconds | None = None
    end_s: Seconds | None = None


@dataclass(frozen=True, eq=False)
class Message:
    """One message of the child: its kind, its plain data, and for "samples" the raw bytes."""

    kind: str  # "ready", "alive", "opened", "samples", "summary", "media", "failure", "stop"
    data: dict[str, Any]
    payload: bytes | bytearray | memoryview = b""


def pack(message: Message) -> bytes:
    """The bytes of a message up to its payload."""
    header = json.dumps({"kind": message.kind, **message.data}).encode()
    return PREFIX.pack(len(header), len(message.payload)) + header


def unpack(read_exactly: Callable[[int], bytearray]) -> Message:
    """The next message.

    Raises:
        ValueError, KeyError: this is no message.
    """
    header_bytes, payload_bytes = PREFIX.unpack(read_exactly(PREFIX.size))
    if header_bytes > MAX_HEADER_BYTES or payload_bytes > MAX_PAYLOAD_BYTES:
        raise ValueError(f"a header of {header_bytes} and a payload of {payload_bytes} bytes")
    data = json.loads(read_exactly(header_bytes))
    if not isinstance(data, dict):
        raise ValueError("a header that is no object")
    return Message(str(data.pop("kind")), data, read_exactly(payload_bytes))


def opened_message(opened: Opened) -> Message:
    """What will come."""
    return Message("opened", asdict(opened))


def summary_message(summary: DecodeSummary) -> Message:
    """How it ended."""
    return Message("summary", asdict(summary))


def failure_message(error: RecordingError) -> Message:
    """Why there is nothing."""
    return Message("failure", {"cause": error.cause.value, "message": error.message})


def summary_of(message: Message) -> DecodeSummary:
    """The summary in a message."""
    data = dict(message.data)
    notes = tuple(DecodeNote(Cause(note["cause"]), str(note["message"])) for note in data.pop("notes"))
    return DecodeSummary(media=MediaInfo(**data.pop("media")), notes=notes, **data)


def error_of(message: Message) -> RecordingError:
    """The error in a message."""
    return RecordingError(Cause(message.data["cause"]), str(message.data["message"]))
