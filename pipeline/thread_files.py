"""Files that several threads may read at once, as DuckDB's do: every thread has its own position in them."""

import functools
import io
import threading
from collections.abc import Hashable
from typing import Any

from fsspec.spec import AbstractFileSystem

_SMALL_BYTES = 2**20
_SMALL_FILES = 16  # that are kept at once


class ThreadFiles(AbstractFileSystem):  # type: ignore[misc]
    """A file system whose open files are safe to share, and which is asked once what there is.

    It is for one connection. A view finds its files anew each time that it is bound, several times a query: the report
    of four recordings in a bucket took 900 requests, and takes 130 so.

    DuckDB seeks and reads in two calls and shares a file among threads (also with `threads = 1`: it reads ahead). On
    fsspec's files, which have one position each, a million rows came back wrong, or not at all, in most of the tries.
    """

    cachable = False

    def __init__(self, fs: Any) -> None:
        super().__init__()
        self._fs = fs
        self._answers: dict[Hashable, Any] = {}
        self._small = functools.lru_cache(_SMALL_FILES)(self._fs.cat_file)
        self.protocol = fs.protocol

    def open(self, path: str, mode: str = "rb", **options: Any) -> "_ThreadFile":
        """A file with a position for each thread; a small one is fetched once and whole.

        DuckDB opens a file many times for one query, and a store answers each time with two requests. It drops files
        without closing them, and gcsfs's own kind of cache leaves a task behind for each of those.
        """
        if mode == "rb" and self.info(path)["size"] <= _SMALL_BYTES:
            return _ThreadFile(io.BytesIO(self._small(path)))
        return _ThreadFile(self._fs.open(path, mode, **{"cache_type": "readahead"} | options))

    def ls(self, path: str, detail: bool = True, **options: Any) -> Any:
        """As the file system below was when it was first asked."""
        return self._once("ls", path, detail=detail, **options)

    def info(self, path: str, **options: Any) -> Any:
        """As the file system below was when it was first asked."""
        return self._once("info", path, **options)

    def glob(self, path: str, maxdepth: int | None = None, **options: Any) -> Any:
        """As the file system below was when it was first asked."""
        return self._once("glob", path, maxdepth=maxdepth, **options)

    def exists(self, path: str, **options: Any) -> bool:
        """As the file system below was when it was first asked."""
        return bool(self._once("exists", path, **options))

    def modified(self, path: str) -> Any:
        """As the file system below was when it was first asked."""
        return self._once("modified", path)

    def _once(self, question: str, path: str, **options: Any) -> Any:
        """The answer to a question; threads that ask it at the same moment ask twice."""
        key = (question, path, *sorted(options.items()))
        if key not in self._answers:
            self._answers[key] = getattr(self._fs, question)(path, **options)
        return self._answers[key]


class _ThreadFile:
    """One open file; seeks and reads of one thread do not move another's position."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._own = threading.local()

    def seek(self, position: int, whence: int = 0) -> int:
        if whence == 0:
            self._own.position = position
            return position
        with self._lock:
            self._file.seek(self.tell())
            self._own.position = int(self._file.seek(position, whence))
        return self.tell()

    def tell(self) -> int:
        return int(getattr(self._own, "position", 0))

    def read(self, size: int = -1) -> bytes:
        with self._lock:
            self._file.seek(self.tell())
            data: bytes = self._file.read(size)
        self._own.position = self.tell() + len(data)
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)
