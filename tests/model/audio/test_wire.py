"""Messages survive the pipe; nonsense does not pass for one."""

import io
import struct

import pytest

from funasr_beam.model.audio.decode import DecodeNote, DecodeSummary
from funasr_beam.model.audio.wire import (
    MAX_PAYLOAD_BYTES,
    Message,
    error_of,
    failure_message,
    pack,
    summary_message,
    summary_of,
    unpack,
)
from funasr_beam.model.errors import Cause, RecordingError
from funasr_beam.model.records import MediaInfo


def there_and_back(message: Message) -> Message:
    return unpack(io.BytesIO(pack(message) + message.payload).read)


def test_a_summary_comes_back_as_it_was():
    media = MediaInfo("ogg", "opus", 48_000, 2, None)
    summary = DecodeSummary(media, (DecodeNote(Cause.DAMAGED, "錄音 \"'\n"),), True, 0.25, 3)
    assert summary_of(there_and_back(summary_message(summary))) == summary


def test_an_error_comes_back_with_its_cause():
    error = error_of(there_and_back(failure_message(RecordingError(Cause.TOO_SHORT, "x: short"))))
    assert (error.cause, error.message) == (Cause.TOO_SHORT, "x: short")


def test_samples_travel_as_raw_bytes():
    message = there_and_back(Message("samples", {"channels": 2}, b"\x01\x02" * 10))
    assert (message.kind, message.data, message.payload) == ("samples", {"channels": 2}, b"\x01\x02" * 10)


@pytest.mark.parametrize("prefix", [struct.pack("<II", 2**31, 0), struct.pack("<II", 5, MAX_PAYLOAD_BYTES + 1)])
def test_sizes_that_nothing_of_ours_has_are_refused(prefix):
    with pytest.raises(ValueError, match="a header of"):
        unpack(io.BytesIO(prefix + bytes(100)).read)
