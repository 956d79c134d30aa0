"""Every file below a folder, and every place where there may be more that could not be seen: nothing is left out.

The file systems' own `walk` and `glob` pass over a folder that cannot be listed as if it were empty.
"""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from fsspec.implementations.local import LocalFileSystem
from fsspec.utils import glob_translate

from funasr_beam.model.storage_trouble import storage_errors


@dataclass(frozen=True, slots=True)
class Found:
    """A file with its details, or a folder behind which there may be files that were not seen."""

    path: str
    info: dict[str, Any]
    error: Exception | None = None  # with which its storage refused to list the folder
    links_to: str | None = None  # the folder that a link names: such links are not followed

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder of its own, to be looked into."""
        return self.info["type"] == "directory" and self.links_to is None


def walk(fs: Any, root: str, enters: Callable[[str], bool] = lambda _: True) -> Iterator[Found]:
    """Every file below `root`, sorted by path within each folder.

    Args:
        fs: a file system of fsspec.
        root: the folder.
        enters: whether the folder of that path is looked into.

    Raises:
        OSError and the errors of the storage: `root` itself cannot be listed.
    """
    found = _listed(fs, root)
    yield from (one for one in found if not one.is_folder)
    folders = _folders(found, enters)
    while folders:
        folder = folders.pop()
        try:
            found = _listed(fs, folder.path)
        except storage_errors() as error:
            yield replace(folder, error=error)
            continue
        yield from (one for one in found if not one.is_folder)
        folders += _folders(found, enters)


def matching(fs: Any, pattern: str) -> Iterator[Found]:
    """Every file whose path matches a glob, and folders that may hold some and could not be seen.

    Raises:
        ValueError: it is no glob.
        OSError and the errors of the storage: the folder before the first wildcard cannot be listed.
    """
    if not isinstance(fs, LocalFileSystem):  # stores list all keys at once, and raise where they cannot
        found = fs.glob(pattern, detail=True)
        yield from (Found(path, info) for path, info in sorted(found.items()) if info["type"] != "directory")
        return
    wanted, enters = re.compile(glob_translate(pattern)), _leads_to(pattern)
    root = fixed_folder(pattern)
    for one in walk(fs, root, enters) if fs.isdir(root) else ():
        if one.error or (enters(one.path) if one.links_to else wanted.match(one.path)):
            yield one


def fixed_folder(pattern: str) -> str:
    """The folder of a glob before its first wildcard."""
    return re.split(r"[*?\[]", pattern, maxsplit=1)[0].rpartition("/")[0] or "/"


def _leads_to(pattern: str) -> Callable[[str], bool]:
    """Whether what is below a folder of that path can match a glob."""
    parts = pattern.split("/")

    def leads(folder: str) -> bool:
        depth = folder.count("/") + 1
        if "**" in parts[:depth]:
            return True
        return depth < len(parts) and re.match(glob_translate("/".join(parts[:depth])), folder) is not None

    return leads


def _listed(fs: Any, folder: str) -> list[Found]:
    """What is in a folder, sorted, without the objects that only stand for it."""
    found: list[Found] = []
    for info in fs.ls(folder, detail=True):
        path = info["name"]
        if info["type"] == "directory" and path.rstrip("/") == folder.rstrip("/"):
            found += _behind_an_empty_name(fs, folder)
        elif not _marks_a_folder(path, info):
            found.append(_seen(fs, path, info))
    return sorted(found, key=lambda one: one.path)


def _marks_a_folder(path: str, info: dict[str, Any]) -> bool:
    """Whether an object is there only so that consoles of object stores show a folder."""
    return path.endswith("/") and not info.get("size")


def _folders(found: list[Found], enters: Callable[[str], bool]) -> list[Found]:
    """Those that are looked into, the first at the end."""
    return [one for one in reversed(found) if one.is_folder and enters(one.path)]


def _seen(fs: Any, path: str, info: dict[str, Any]) -> Found:
    """A file or folder; of a link the details of what it leads to, since that is what is read."""
    if not info.get("islink"):
        return Found(path, info)
    try:
        info = fs.info(path)
    except OSError:  # it leads nowhere
        return Found(path, info)
    return Found(path, info, links_to=os.path.realpath(path) if info["type"] == "directory" else None)


def _behind_an_empty_name(fs: Any, folder: str) -> Iterator[Found]:
    """Objects such as `folder//a.wav`: listing the folder with the empty name would list `folder` again."""
    found = fs.find(folder, prefix="/", detail=True)
    yield from (Found(path, info) for path, info in found.items() if not _marks_a_folder(path, info))
