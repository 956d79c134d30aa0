"""A checkpoint folder in an object store, copied once to this machine."""

import hashlib
import logging
import shutil
import uuid
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

from funasr_beam.model.errors import RunError, UsageError
from funasr_beam.model.known_models import models_home

if TYPE_CHECKING:
    from funasr_beam.model.storage import Folder

SCHEMES = ("s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "memory")
"""Of the storages that hold folders of models; addresses of the web are none of these."""

_WANTED = ("*.json", "*.safetensors", "*.txt", "*.jinja")  # never a pickle, never code

_log = logging.getLogger(__name__)


def is_stored(name: str) -> bool:
    """Whether a model's name is the URI of a folder in an object store."""
    return name.partition("://")[0] in SCHEMES and "://" in name


def fetch_folder(uri: str) -> Path:
    """The folder's copy on this machine; copies it where what lies in the store is not here yet.

    A copy is known by the names, sizes and checksums that the store tells, so that another version of the model gets a
    copy of its own. Several processes may ask at once: the copy appears whole.

    Raises:
        RunError: the store does not answer, or refuses, or there is no such folder.
        UsageError: nothing is known of storages of this kind.
    """
    from funasr_beam.model.storage import Folder  # recognising from a folder on a disk needs no fsspec

    try:
        store = Folder(uri.rstrip("/"))
        names = [name for name in store.names("") if any(fnmatch(name, pattern) for pattern in _WANTED)]
        with store.telling():
            details = {name: store.fs.info(store.path(name)) for name in names}
    except (ValueError, ImportError) as error:
        raise UsageError("The model cannot be found:", [f"model = {uri}: {error}"]) from error
    if not names:
        raise RunError(f"{store.show()} holds no model: there are no such files as config.json and model.safetensors")
    target = models_home().parent / "fetched" / _fingerprint(store.show(), details)
    if not target.is_dir():
        _copy(store, details, target)
    return target


def _fingerprint(uri: str, details: Mapping[str, Mapping[str, Any]]) -> str:
    """A name for this version of the folder."""
    lines = [
        f"{name} {info['size']} {info.get('ETag') or info.get('md5Hash') or info.get('LastModified')}"
        for name, info in sorted(details.items())
    ]
    return hashlib.sha256("\n".join([uri, *lines]).encode()).hexdigest()[:16]


def _copy(store: "Folder", details: Mapping[str, Mapping[str, Any]], target: Path) -> None:
    size = sum(int(info["size"]) for info in details.values())
    _log.info("Copying %s to this machine (%.2f GB)", store.show(), size / 1e9)
    draft = target.parent / f".{target.name}-{uuid.uuid4().hex[:8]}.tmp"
    draft.mkdir(parents=True)
    try:
        for name, info in details.items():
            with store.telling():
                store.fs.get_file(store.path(name), str(draft / name))
            if (draft / name).stat().st_size != info["size"]:
                raise RunError(f"{store.show(name)} changed while it was copied; try again")
        try:
            draft.rename(target)
        except OSError:  # another process was faster
            if not target.is_dir():
                raise
    except FileNotFoundError as error:
        raise RunError(f"{store.show()} changed while it was copied; try again") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
