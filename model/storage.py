"""Files on a disk or in an object store, through fsspec: whole writes only, and trouble as messages."""

import contextlib
import errno
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote, unquote

import fsspec
from fsspec.implementations.local import LocalFileSystem

from funasr_beam.model.errors import RunError, UsageError
from funasr_beam.model.redaction import public_uri, redact
from funasr_beam.model.storage_trouble import run_failure, storage_errors

_EXTRAS = {"gs": "gcs", "gcs": "gcs", "abfs": "azure", "abfss": "azure", "az": "azure"}
_NO_HARD_LINKS = frozenset({errno.EPERM, errno.ENOSYS, errno.ENOTSUP, errno.EMLINK})
"""What mounts of buckets, of other systems' shares and FAT say of them."""

_SHARED = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "http", "https"})
"""Schemes of storages that others write to meanwhile: nothing that they said before is believed later."""


@dataclass(frozen=True)
class Folder:
    """A folder or bucket prefix, named by a path or a URI.

    Every method raises RunError, with a message that says what to do, where the storage says no (no space, expired
    credentials, no answer even after retries), and FileNotFoundError for a file that is not there.
    """

    uri: str = field(repr=False)  # as the user gave it, perhaps with credentials; `show` tells it to others

    @cached_property
    def _located(self) -> tuple[Any, str]:
        return locate(self.uri)

    @property
    def fs(self) -> Any:
        """The fsspec file system that holds the folder."""
        return self._located[0]

    @property
    def root(self) -> str:
        """The folder's path inside its file system."""
        return self._located[1].rstrip("/")

    def __reduce__(self) -> tuple[type["Folder"], tuple[str]]:
        return type(self), (self.uri,)

    def path(self, name: str) -> str:
        """The path of `name` inside the file system."""
        return f"{self.root}/{name}"

    def show(self, name: str = "") -> str:
        """`name` as a user would type it."""
        base = self.root if self.is_local else public_uri(str(self.fs.unstrip_protocol(self.root)))
        return f"{base}/{name}" if name else base

    @property
    def is_local(self) -> bool:
        """Whether the folder is on a disk of this machine, or looks so."""
        return isinstance(self.fs, LocalFileSystem)

    @contextlib.contextmanager
    def telling(self) -> Iterator[None]:
        """Turn what the storage says no with into a RunError about this folder."""
        try:
            yield
        except FileNotFoundError:
            raise
        except storage_errors() as error:
            raise run_failure(self.show(), error) from error

    def exists(self, name: str) -> bool:
        """Whether there is a file or folder of that name."""
        with self.telling():
            return bool(self.fs.exists(self.path(name)))

    def names(self, folder: str) -> list[str]:
        """Names of the finished files directly in `folder`, sorted; none where there is no such folder."""
        try:
            with self.telling():
                found = self.fs.ls(self.path(folder), detail=False, refresh=True)
        except FileNotFoundError:
            return []
        return sorted(name for name in (path.rstrip("/").rsplit("/", 1)[-1] for path in found) if _is_finished(name))

    def tree(self, folder: str) -> list[str]:
        """Paths below `folder` of all finished files in it and in its folders, sorted; one listing."""
        path = self.path(folder)
        try:
            with self.telling():
                self.fs.invalidate_cache(path)
                found = _local_files(path) if self.is_local else self.fs.find(path)
        except FileNotFoundError:
            return []
        start = len(path.rstrip("/")) + 1
        return sorted(name for name in (str(file)[start:] for file in found) if _is_finished(name))

    def read(self, name: str) -> bytes:
        """All bytes of a file."""
        with self.telling():
            return bytes(self.fs.cat_file(self.path(name)))

    def open(self, name: str) -> BinaryIO:
        """A file, open for reading with seeks."""
        with self.telling():
            opened: BinaryIO = self.fs.open(self.path(name), "rb")
            return opened

    def write(self, name: str, data: bytes) -> None:
        """Write a file that others see whole or not at all."""
        with self.telling():
            if not self.is_local:
                self.fs.pipe_file(self.path(name), data)  # an object is there when its upload has ended, not before
                return
            draft = self.draft()
            try:
                with open(draft, "wb") as file:  # noqa: PTH123 - fsspec's local paths are plain strings
                    file.write(data)
                self.publish(draft, name)
            except (OSError, RunError):
                with contextlib.suppress(OSError):
                    self.fs.rm(draft)  # where there is no space, half a file would only take more of it
                raise

    def create(self, name: str, data: bytes) -> None:
        """Write a file if there is none of that name; of several that try at once, one succeeds.

        Raises:
            FileExistsError: there is one.
        """
        try:
            if self.is_local:
                self._create_local(name, data)
            else:
                self.fs.pipe_file(self.path(name), data, mode="create")
        except FileExistsError:
            raise
        except storage_errors() as error:
            raise run_failure(self.show(), error) from error

    def modified_s(self, name: str) -> float:
        """When a file was written, by the storage's clock (seconds since 1970).

        Raises:
            NotImplementedError: the storage does not tell.
        """
        with self.telling():
            return float(self.fs.modified(self.path(name)).timestamp())

    def _create_local(self, name: str, data: bytes) -> None:
        draft, target = self.draft(), self.path(name)
        with open(draft, "wb") as file:  # noqa: PTH123
            file.write(data)
        self.fs.makedirs(target.rsplit("/", 1)[0], exist_ok=True)
        try:
            os.link(draft, target)
        except OSError as error:
            if error.errno not in _NO_HARD_LINKS:
                raise
            with open(target, "xb") as file:  # noqa: PTH123 - whoever reads it half written finds no holder in it yet
                file.write(data)
        finally:
            self.fs.rm(draft)

    def draft(self) -> str:
        """A fresh path below `_work/drafts` for a file that is still being written; ends in `.tmp`."""
        with self.telling():
            self.fs.makedirs(self.path("_work/drafts"), exist_ok=True)
        return self.path(f"_work/drafts/{uuid.uuid4().hex}.tmp")

    def publish(self, draft: str, name: str) -> None:
        """Move a finished draft to its place, replacing what was there, in one step.

        In an object store that is a copy on the server's side, so that all drafts of a run can be complete before the
        first one appears: an upload straight to its place would still have its last block to send.
        """
        target = self.path(name)
        with self.telling():
            if not self.is_local:
                self.fs.cp_file(draft, target)
                self.fs.rm_file(draft)
                return
            self.fs.makedirs(target.rsplit("/", 1)[0], exist_ok=True)
            with open(draft, "rb+") as file:  # noqa: PTH123
                os.fsync(file.fileno())
            os.replace(draft, target)  # noqa: PTH105

    def remove(self, name: str) -> None:
        """Delete a file or a folder with all that is in it; nothing happens where there is none."""
        with self.telling(), contextlib.suppress(FileNotFoundError):
            self.fs.rm(self.path(name), recursive=True)


def _local_files(path: str) -> list[str]:
    """Paths of all files below a folder; fsspec's `find` leaves out, without a word, what it may not list.

    Raises:
        OSError: a folder cannot be listed.
    """

    def tell(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):  # deleted meanwhile
            raise error

    found = os.walk(path, onerror=tell, followlinks=True)
    return [f"{folder}/{name}" for folder, _, names in found for name in names]


def write_file(uri: str, data: bytes) -> str:
    """Write a file at any place, whole and without anything beside it; gives its path or public URI.

    Raises:
        RunError: it cannot be written there.
        UsageError: it is a folder.
    """
    fs, path = locate(uri)
    is_local = isinstance(fs, LocalFileSystem)
    shown = path if is_local else public_uri(uri)
    if is_local and Path(path).is_dir():
        raise UsageError(f"{shown}:", ["is a folder; name the file"])
    try:
        if is_local:
            _replace_file(Path(path), data)
        else:
            fs.pipe_file(path, data)
    except storage_errors() as error:
        raise run_failure(shown, error) from error
    return shown


def _replace_file(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{uuid.uuid4().hex}.tmp")
    try:
        draft.write_bytes(data)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def locate(uri: str) -> tuple[Any, str]:
    """The file system and the path inside it for a path or URI; S3 URIs may be `s3://KEY:SECRET@bucket/...`.

    A name with `::` is a name: fsspec's own `url_to_fs` would open another file for it.

    Raises:
        ValueError: no file system is known for the URI's scheme.
        ImportError: the package for it is not installed; the message says how to install it.
    """
    scheme = uri.partition("://")[0] if "://" in uri else ""
    options: dict[str, Any] = {"use_listings_cache": False} if scheme in _SHARED else {}
    if scheme in ("s3", "s3a"):
        _retry_server_errors()
        uri, keys = _s3_keys(uri)
        options |= keys
    try:
        kind = fsspec.get_filesystem_class(scheme or "file")
        fs = fsspec.filesystem(scheme or "file", **kind._get_kwargs_from_urls(uri) | options)
        path = kind._strip_protocol(uri)
    except ImportError as error:
        extra = _EXTRAS.get(scheme)
        how = f'install it with: pip install "funasr-beam[{extra}]"' if extra else redact(str(error))
        raise ImportError(f"{scheme}:// needs a package that is not installed; {how}") from error
    return fs, _direct(str(path)) if isinstance(fs, LocalFileSystem) else str(path)


def _direct(path: str) -> str:
    """A local path without `..` and doubled slashes: one name for a file, wherever the command was typed."""
    folders = path.split("/")
    if ".." not in folders:
        return os.path.normpath(path)
    after = len(folders) - folders[::-1].index("..")  # what `..` leads out of may be a link
    return os.path.normpath("/".join([os.path.realpath("/".join(folders[:after])), *folders[after:]]))


def access_uri(fs: Any, path: str) -> str | None:
    """The URI of a file with the credentials that its public URI lacks; None where it lacks none."""
    uri = str(fs.unstrip_protocol(path))
    if getattr(fs, "key", None) and getattr(fs, "secret", None) and uri.startswith("s3://"):
        return f"s3://{quote(fs.key, safe='')}:{quote(fs.secret, safe='')}@{uri.removeprefix('s3://')}"
    return uri if public_uri(uri) != uri else None


def _s3_keys(uri: str) -> tuple[str, dict[str, str]]:
    """An S3 URI without the credentials in it, and these."""
    scheme, _, rest = uri.partition("://")
    bucket, slash, key = rest.partition("/")
    credentials, at, bucket = bucket.rpartition("@")
    user, colon, password = credentials.partition(":")
    if not (at and colon):
        return uri, {}
    return f"{scheme}://{bucket}{slash}{key}", {"key": unquote(user), "secret": unquote(password)}


@cache
def _retry_server_errors() -> None:
    """Have s3fs retry 5xx answers, too; botocore alone gave up on 1 of 300 operations with a fault in every second."""
    import s3fs.core
    from botocore.exceptions import ClientError

    def is_passing(error: Exception) -> bool:
        if not isinstance(error, ClientError):
            return isinstance(error, ConnectionError)
        return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)) >= 500

    s3fs.core.set_custom_error_handler(is_passing)


def is_glob(text: str) -> bool:
    """Whether a path or URI has a wildcard."""
    return any(mark in text for mark in "*?[")


def _is_finished(name: str) -> bool:
    return bool(name) and not name.endswith(".tmp")
