"""A media file as bytes: opened locally or through fsspec, its storage errors turned into causes."""

import io
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from funasr_beam.model.backoff import ATTEMPTS, with_backoff
from funasr_beam.model.errors import Cause, RecordingError, RunError
from funasr_beam.model.redaction import redact
from funasr_beam.model.storage_trouble import storage_errors, storage_failure

READ_AHEAD_BYTES = 5 * 2**20
"""What is fetched at once: 2 to 9 requests for a file of 20 minutes, and no more memory than that."""

MOST_BYTES_WITHOUT_RANGES = 64 * 2**20
"""The largest file that is held in memory because its server gives only whole files."""


@dataclass(frozen=True)
class MediaSource:
    """Where the bytes of one recording are: a local path or any fsspec URI."""

    uri: str  # as it may be shown
    access_uri: str | None = field(default=None, repr=False)  # the same with credentials, where they are in the URI

    def open(self) -> "MediaFile":
        """The file, opened for reading.

        Raises:
            RecordingError: NOT_FOUND, ACCESS_DENIED, STORAGE_UNAVAILABLE, EMPTY_FILE, BAD_OPTIONS, or NOT_MEDIA for
                a directory, pipe or device.
            RunError: the storage refuses the credentials themselves, so nothing else can be read either.
        """
        try:
            stream, size = _open_local(self.uri) if _is_local(self.uri) else with_backoff(lambda: _open_remote(self))
        except storage_errors() as error:
            raise storage_failure(self.uri, error) from error
        if size == 0:
            stream.close()
            raise RecordingError(Cause.EMPTY_FILE, f"{self.uri}: has 0 bytes; upload it again or leave it out")
        return MediaFile(self.uri, stream, size)


class MediaFile:
    """A readable, seekable file that remembers why its storage failed and tells `on_progress` about every read.

    It has no `name`, so that a demuxer is chosen by content and never by extension.
    """

    def __init__(self, uri: str, stream: BinaryIO, size: int) -> None:
        self.uri = uri
        self.size = size
        self.failure: RecordingError | RunError | None = None
        self.on_progress: Callable[[], None] = lambda: None
        self._stream = stream
        self._attempts = 1 if _is_local(uri) else ATTEMPTS

    def read(self, count: int = -1) -> bytes:
        """At most `count` bytes from here; none at the end."""
        try:
            data = with_backoff(lambda: self._stream.read(count), self._attempts)
        except storage_errors() as error:
            self.failure = storage_failure(self.uri, error)
            raise self.failure from error
        self.on_progress()
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to another place and tell which it is."""
        try:
            return self._stream.seek(offset, whence)
        except ValueError as error:  # fsspec's word for a place before the first byte
            raise OSError(str(error)) from error

    def tell(self) -> int:
        """The place of the next byte read."""
        return self._stream.tell()

    def read_at(self, offset: int, count: int) -> bytes:
        """Up to `count` bytes from `offset`; the place of the next read stays, since a demuxer relies on it."""
        here = self.tell()
        self.seek(offset)
        data = self.read(count)
        self.seek(here)
        return data

    def close(self) -> None:
        """Give the file back."""
        self._stream.close()

    def __enter__(self) -> "MediaFile":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _is_local(uri: str) -> bool:
    return uri.startswith("file://") or "://" not in uri


def _open_local(uri: str) -> tuple[BinaryIO, int]:
    path = Path(uri.removeprefix("file://"))
    # Without O_NONBLOCK, opening a pipe that nobody writes to would hang before we could see what it is.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise RecordingError(Cause.NOT_MEDIA, f"{uri}: is a folder, pipe, socket or device; only files are read")
    return os.fdopen(descriptor, "rb"), status.st_size


def _open_remote(source: MediaSource) -> tuple[BinaryIO, int]:
    from funasr_beam.model.storage import locate  # fsspec, a fifth of a decoder's start: not for files on a disk

    uri = source.access_uri or source.uri
    try:
        system, path = locate(uri)
    except (ValueError, ImportError, TypeError) as error:
        raise RecordingError(Cause.BAD_OPTIONS, f"{source.uri}: cannot be opened: {redact(str(error))}") from error
    if uri.startswith(("http://", "https://")):
        return _open_http(source.uri, system, path)
    stream = system.open(path, "rb", block_size=READ_AHEAD_BYTES)
    return stream, int(stream.size)


def _open_http(uri: str, system: Any, path: str) -> tuple[BinaryIO, int]:
    """A file of a web server: read in ranges where the server knows them, else held whole if it is small."""
    info = system.info(path)
    size = info.get("size")
    if size is not None and size > 1 and info.get("partial", True):
        stream = system.open(path, "rb", block_size=READ_AHEAD_BYTES, size=int(size))
        if _gives_ranges(stream, int(size)):
            return stream, int(size)
    if size is not None and size > MOST_BYTES_WITHOUT_RANGES:
        raise _too_large(uri)
    with system.open(path, "rb", block_size=0) as stream:
        held = io.BytesIO()
        while part := stream.read(2**20):  # as much as has come, not as much as was asked for
            held.write(part)
            if held.tell() > MOST_BYTES_WITHOUT_RANGES:
                raise _too_large(uri)
    length = held.tell()
    held.seek(0)
    return held, length


def _gives_ranges(stream: BinaryIO, size: int) -> bool:
    """Whether the server answers for the last byte with that byte."""
    try:
        stream.seek(size - 1)
        return len(stream.read(1)) == 1
    except ValueError:  # fsspec's word for a server that answers with the whole file
        return False
    finally:
        stream.seek(0)


def _too_large(uri: str) -> RecordingError:
    most = MOST_BYTES_WITHOUT_RANGES // 2**20
    what = (
        f"the server gives no parts of files (ranges), and this one is over {most} MiB; copy it to a storage that does"
    )
    return RecordingError(Cause.STORAGE_UNAVAILABLE, f"{uri}: {what}")
