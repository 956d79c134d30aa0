"""A media file as bytes: opened locally or through fsspec, its storage errors turned into causes."""

import os
import stat
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from funasr_beam.model.errors import Cause, RecordingError


@dataclass(frozen=True)
class MediaSource:
    """Where the bytes of one recording are: a local path or any fsspec URI, with the options of its storage."""

    uri: str
    storage_options: Mapping[str, Any] = field(default_factory=dict)

    def open(self) -> "MediaFile":
        """The file, opened for reading.

        Raises:
            RecordingError: NOT_FOUND, ACCESS_DENIED, STORAGE_UNAVAILABLE, EMPTY_FILE, BAD_OPTIONS, or NOT_MEDIA for
                a directory, pipe or device.
        """
        try:
            stream, size = _open_local(self.uri) if _is_local(self.uri) else _open_remote(self)
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
        self.failure: RecordingError | None = None
        self.on_progress: Callable[[], None] = lambda: None
        self._stream = stream

    def read(self, count: int = -1) -> bytes:
        """At most `count` bytes from here; none at the end."""
        try:
            data = self._stream.read(count)
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


def storage_errors() -> tuple[type[Exception], ...]:
    """The exceptions by which storage says no; those of remote storage only once its library is loaded."""
    found: list[type[Exception]] = [OSError]
    for module, name in (("aiohttp", "ClientError"), ("botocore.exceptions", "BotoCoreError")):
        if module in sys.modules:
            found.append(getattr(sys.modules[module], name))
    return tuple(found)


def storage_failure(uri: str, error: Exception) -> RecordingError:
    """The cause and message for what a storage said."""
    status = getattr(error, "status", None)  # aiohttp
    if isinstance(error, FileNotFoundError) or status == 404:
        return RecordingError(Cause.NOT_FOUND, f"{uri}: is not there; it was moved or deleted since it was listed")
    if isinstance(error, PermissionError) or status in (401, 403):
        return RecordingError(Cause.ACCESS_DENIED, f"{uri}: reading was refused ({error}); check the credentials")
    if isinstance(error, IsADirectoryError):
        return RecordingError(Cause.NOT_MEDIA, f"{uri}: is a folder; name the files in it")
    what = str(error) or type(error).__name__
    return RecordingError(Cause.STORAGE_UNAVAILABLE, f"{uri}: the storage failed ({what}); try again later")


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
    import fsspec

    try:
        system, path = fsspec.core.url_to_fs(source.uri, **source.storage_options)
    except (ValueError, ImportError, TypeError) as error:
        raise RecordingError(Cause.BAD_OPTIONS, f"{source.uri}: cannot be opened: {error}") from error
    stream = system.open(path, "rb")
    size = getattr(stream, "size", None)
    if size is None:
        stream.close()
        raise RecordingError(
            Cause.STORAGE_UNAVAILABLE, f"{source.uri}: the server tells no size, so it cannot be read in parts; copy it"
        )
    return stream, int(size)
