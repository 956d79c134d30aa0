"""Files on a disk or in an object store, through fsspec: whole writes only, and errors as causes."""

import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, BinaryIO

import fsspec
from fsspec.implementations.local import LocalFileSystem


@dataclass(frozen=True)
class Folder:
    """A folder or bucket prefix, named by a path or a URI."""

    uri: str

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
        base = self.root if isinstance(self.fs, LocalFileSystem) else str(self.fs.unstrip_protocol(self.root))
        return f"{base}/{name}" if name else base

    def exists(self, name: str) -> bool:
        """Whether there is a file or folder of that name."""
        return bool(self.fs.exists(self.path(name)))

    def names(self, folder: str) -> list[str]:
        """Names of the finished files directly in `folder`, sorted; none where there is no such folder."""
        try:
            found = self.fs.ls(self.path(folder), detail=False, refresh=True)
        except FileNotFoundError:
            return []
        return sorted(name for name in (path.rstrip("/").rsplit("/", 1)[-1] for path in found) if _is_finished(name))

    def tree(self, folder: str) -> list[str]:
        """Paths below `folder` of all finished files in it and in its folders, sorted; one listing."""
        path = self.path(folder)
        self.fs.invalidate_cache(path)
        try:
            found = self.fs.find(path)
        except FileNotFoundError:
            return []
        start = len(path.rstrip("/")) + 1
        return sorted(name for name in (str(file)[start:] for file in found) if _is_finished(name))

    def read(self, name: str) -> bytes:
        """All bytes of a file."""
        return bytes(self.fs.cat_file(self.path(name)))

    def open(self, name: str) -> BinaryIO:
        """A file, open for reading with seeks."""
        opened: BinaryIO = self.fs.open(self.path(name), "rb")
        return opened

    def write(self, name: str, data: bytes) -> None:
        """Write a file that others see whole or not at all."""
        if not isinstance(self.fs, LocalFileSystem):
            self.fs.pipe_file(self.path(name), data)
            return
        draft = self.draft()
        with open(draft, "wb") as file:  # noqa: PTH123 - fsspec's local paths are plain strings
            file.write(data)
        self.publish(draft, name)

    def draft(self) -> str:
        """A fresh path below `_work/drafts` for a file that is still being written; ends in `.tmp`."""
        self.fs.makedirs(self.path("_work/drafts"), exist_ok=True)
        return self.path(f"_work/drafts/{uuid.uuid4().hex}.tmp")

    def publish(self, draft: str, name: str) -> None:
        """Move a finished draft to its place, replacing what was there, in one step."""
        target = self.path(name)
        if not isinstance(self.fs, LocalFileSystem):
            self.fs.mv(draft, target)
            return
        self.fs.makedirs(target.rsplit("/", 1)[0], exist_ok=True)
        with open(draft, "rb+") as file:  # noqa: PTH123
            os.fsync(file.fileno())
        os.replace(draft, target)  # noqa: PTH105

    def remove(self, name: str) -> None:
        """Delete a file or a folder with all that is in it; nothing happens where there is none."""
        if self.exists(name):
            self.fs.rm(self.path(name), recursive=True)


def locate(uri: str) -> tuple[Any, str]:
    """The file system and the path inside it for a path or URI.

    Raises:
        ValueError: no file system is known for the URI's scheme.
    """
    fs, path = fsspec.core.url_to_fs(uri)
    return fs, str(path)


def is_glob(text: str) -> bool:
    """Whether a path or URI has a wildcard."""
    return any(mark in text for mark in "*?[")


def walk(fs: Any, root: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every file below `root` with its details, in the order of their paths within each folder."""
    for _, _, files in fs.walk(root, detail=True):
        for name in sorted(files):
            yield files[name]["name"], files[name]


def _is_finished(name: str) -> bool:
    return bool(name) and not name.endswith(".tmp")
