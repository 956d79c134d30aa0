"""From what the user named (folders, files, globs, URIs, manifests) to recordings with identity and fingerprint."""

import hashlib
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from funasr_beam.model.ahead import map_ahead
from funasr_beam.model.errors import Cause, RecordingError, RunError, UsageError
from funasr_beam.model.manifest import ManifestRow, is_manifest, read_manifest
from funasr_beam.model.own_files import own_files
from funasr_beam.model.records import Failure, RecognitionOptions, Recording
from funasr_beam.model.redaction import public_uri, redact
from funasr_beam.model.silent_hosts import SilentHosts
from funasr_beam.model.storable import is_storable, storable
from funasr_beam.model.storage import access_uri, is_glob, locate
from funasr_beam.model.storage_trouble import storage_errors, storage_failure
from funasr_beam.model.walk import Found, fixed_folder, matching, walk

_log = logging.getLogger("funasr_beam")
_ASKED_AT_ONCE = 16  # files of a manifest whose size and fingerprint are asked for

MEDIA_SUFFIXES = frozenset(
    [
        "3gp", "3g2", "aac", "ac3", "aif", "aifc", "aiff", "alac", "amr", "ape", "asf", "au", "avi", "awb",
        "caf", "dts", "dv", "eac3", "flac", "flv", "gsm", "m2ts", "m4a", "m4b", "m4v", "mka", "mkv", "mov",
        "mp2", "mp3", "mp4", "mpa", "mpc", "mpeg", "mpg", "mts", "mxf", "nut", "oga", "ogg", "ogv", "opus",
        "ra", "rf64", "rm", "snd", "sph", "spx", "tak", "ts", "tta", "vob", "voc", "w64", "wav", "wave", "webm",
        "wma", "wmv", "wv",
    ]
)  # fmt: skip
"""File name endings that are taken for recordings in a folder; files without an ending are, too."""


_CHANGE_TIMES = ("mtime", "LastModified", "last_modified", "updated", "Last-Modified")


@dataclass(frozen=True)
class Listed:
    """One input: a recording, or why it will not be transcribed (`skipped` tells a choice from a failure)."""

    recording: Recording
    failure: Failure | None = None
    skipped: bool = False
    tries_before: int = 0  # of these bytes, as earlier runs say


class InputNotFoundError(Exception):
    """An input names nothing that exists."""


def list_inputs(
    inputs: Sequence[str], defaults: RecognitionOptions, output: str, on_empty: Callable[[str], object] = lambda _: None
) -> Iterator[Listed]:
    """Every input once, as it is found, in a stable order: as the user named them, by path within a folder.

    Args:
        inputs: folders, files, globs, URIs and manifests.
        defaults: options of recordings about which a manifest says nothing else.
        output: its own files are left out, should it lie inside an input or around it.
        on_empty: is told each input in which there is no recording, such as a share that is not mounted.

    Raises:
        InputNotFoundError: an input does not exist or matches nothing.
        funasr_beam.model.errors.UsageError: a manifest cannot be read.
    """
    found = (listed for text in inputs for listed in _tell_if_empty(text, _list_one(text, defaults, output), on_empty))
    yield from found if _names_each_once(inputs) else _first_of_each(found)


def _tell_if_empty(text: str, found: Iterable[Listed], on_empty: Callable[[str], object]) -> Iterator[Listed]:
    is_empty = True
    for listed in found:
        is_empty = is_empty and listed.skipped
        yield listed
    if is_empty:
        on_empty(text)


def check_exist(inputs: Sequence[str]) -> None:
    """Look whether there is something behind every input, as far as that is quick.

    Raises:
        InputNotFoundError: there is not.
    """
    for text in inputs:
        fs, path = _located(text)
        if not is_glob(path) and not is_manifest(path) and not fs.exists(path):
            raise _missing(text, fs, path)


def _names_each_once(inputs: Sequence[str]) -> bool:
    """Whether no recording can be met twice, so that none need be remembered."""
    return len(inputs) == 1 and not is_manifest(inputs[0])


def _first_of_each(found: Iterable[Listed]) -> Iterator[Listed]:
    """Each recording once; an id that was given to another file before is a failure of the later one."""
    places: dict[str, int] = {}
    for listed in found:
        place = hash(listed.recording.uri)
        if listed.recording.id not in places:
            places[listed.recording.id] = place
            yield listed
        elif places[listed.recording.id] != place:
            message = f"the id {listed.recording.id} belongs to another file of this run"
            yield replace(listed, failure=Failure("plan", Cause.BAD_OPTIONS, message))


def uri_at(fs: Any, path: str) -> str:
    """What names the recording at a place in the tables."""
    return public_uri(str(fs.unstrip_protocol(path)))


def recording_id(uri: str, fingerprint: str) -> str:
    """The identity of these bytes at this place."""
    return hashlib.sha256(f"{uri}\n{fingerprint}".encode()).hexdigest()[:24]


def _list_one(text: str, defaults: RecognitionOptions, output: str) -> Iterator[Listed]:
    fs, path = _located(text)
    if is_glob(path) and not fs.exists(path):
        yield from _list_glob(fs, path, text, defaults, output)
    elif is_manifest(path):
        yield from _list_manifest(text, defaults)
    elif fs.isdir(path):
        is_own = own_files(fs, path, output)
        for found in walk(fs, path, lambda folder: not is_own(folder)):
            if not is_own(found.path):
                yield _judge(fs, path, found, defaults)
    elif fs.exists(path):
        yield _listed(fs, path, fs.info(path), defaults)
    else:
        raise _missing(text, fs, path)


def _missing(text: str, fs: Any, path: str) -> InputNotFoundError:
    """Why there is nothing; a folder that may not be entered hides what is in it."""
    try:
        fs.info(path)
    except PermissionError as error:
        return InputNotFoundError(f"{text}: {error.strerror or error}; check the permissions of its folders")
    except storage_errors():
        pass
    return InputNotFoundError(f"{text}: there is no such file or folder")


def _located(text: str) -> tuple[Any, str]:
    try:
        return locate(text)
    except (ValueError, ImportError) as error:
        raise InputNotFoundError(f"{text}: {error}") from error


def _list_glob(fs: Any, pattern: str, text: str, defaults: RecognitionOptions, output: str) -> Iterator[Listed]:
    shows_hidden = pattern.rsplit("/", 1)[-1].startswith(".")
    folder = fixed_folder(pattern)
    is_own = own_files(fs, folder, output)
    count = 0
    try:
        for found in matching(fs, pattern):
            is_shown = shows_hidden or not found.path.rsplit("/", 1)[-1].startswith(".")
            if is_shown and not is_own(found.path):
                count += 1
                yield _unseen(fs, "", found, defaults) or _listed(fs, found.path, found.info, defaults)
    except ValueError as error:
        raise InputNotFoundError(f"{text}: {error}") from error
    if not count and not fs.isdir(folder):
        raise InputNotFoundError(f"{text}: matches no file, and there is no folder {folder}")


def _judge(fs: Any, root: str, found: Found, defaults: RecognitionOptions) -> Listed:
    """A file that was found in a folder: by its name it is a recording, or it is left out."""
    if unseen := _unseen(fs, root, found, defaults):
        return unseen
    listed = _listed(fs, found.path, found.info, defaults)
    name = found.path.rsplit("/", 1)[-1]
    stem, dot, suffix = name.rpartition(".")
    if name.startswith("."):
        return _skip(listed, "hidden files of a folder are left out")
    if not dot and not listed.recording.size_bytes:
        return _skip(listed, "an empty file without an ending is a mark of some program")
    if dot and stem and suffix.lower() not in MEDIA_SUFFIXES:
        rule = f".{storable(suffix)} is no ending of a recording; name the file itself to have it transcribed"
        return _skip(listed, rule)
    return listed


def _unseen(fs: Any, root: str, found: Found, defaults: RecognitionOptions) -> Listed | None:
    """The row of a folder behind which there may be recordings that nobody saw."""
    if not found.error and not found.links_to:
        return None
    listed = _listed(fs, found.path, {}, defaults)
    recording = replace(listed.recording, id=recording_id(listed.recording.uri, ""), fingerprint="")
    listed = replace(listed, recording=recording)
    if found.error:
        return _unlisted(listed, found.error)
    target = storable(str(found.links_to))
    if root and _is_below(str(found.links_to), os.path.realpath(root)):
        return _skip(listed, f"a link to the folder {target}, which is listed itself")
    message = f"{recording.uri}: is a link to the folder {target}; such links are not followed: name that folder, too"
    return replace(listed, failure=Failure("plan", Cause.NOT_MEDIA, message))


def _unlisted(folder: Listed, error: Exception) -> Listed:
    uri = folder.recording.uri
    reason = storage_failure(uri, error)
    if isinstance(reason, RunError):
        raise reason from error
    _log.warning("%s cannot be listed: nothing in it is transcribed", uri)
    message = f"{reason.message}; it is a folder, and nothing in it is transcribed until it can be listed"
    return replace(folder, failure=Failure("plan", reason.cause, message))


def _is_below(path: str, folder: str) -> bool:
    return f"{path}/".startswith(f"{folder.rstrip('/')}/")


def _skip(listed: Listed, rule: str) -> Listed:
    return replace(listed, failure=Failure("plan", Cause.EXCLUDED, rule), skipped=True)


def _listed(fs: Any, path: str, info: dict[str, Any], options: RecognitionOptions) -> Listed:
    """A file; one whose name no table can hold is a failure, and so is a link without its file."""
    if is_storable(path):
        return _with_target(Listed(_recording(fs, path, info, options)), info)
    found = replace(_recording(fs, storable(path), info, options), access_uri=None)
    message = f"{found.uri}: the name is not valid UTF-8; rename the file (convmv does that for whole folders)"
    return Listed(found, Failure("plan", Cause.BAD_NAME, message))


def _with_target(listed: Listed, info: dict[str, Any]) -> Listed:
    if not info.get("islink") or info["type"] != "other":
        return listed
    target = storable(str(info["destination"]))
    message = f"{listed.recording.uri}: is a link to {target}, where nothing is; mend or remove the link"
    return replace(listed, failure=Failure("plan", Cause.NOT_FOUND, message))


def _recording(fs: Any, path: str, info: dict[str, Any], options: RecognitionOptions) -> Recording:
    uri = uri_at(fs, path)
    print_of = _fingerprint(info)
    size = int(info.get("size") or 0)
    return Recording(recording_id(uri, print_of), uri, print_of, size, options, access_uri=access_uri(fs, path))


def fingerprint_now(uri: str) -> str:
    """The fingerprint of a file as it is now.

    Raises:
        RecordingError: it is not there, or its storage does not say.
    """
    fs, path = locate(uri)
    try:
        return _fingerprint(fs.info(path))
    except storage_errors() as error:
        raise storage_failure(uri, error) from error


def _fingerprint(info: dict[str, Any]) -> str:
    """The storage's own tag of the content, or else size and modification time."""
    etag = info.get("ETag") or info.get("etag")
    if etag:
        return str(etag).strip('"')
    changed = (info[key] for key in _CHANGE_TIMES if info.get(key))
    return f"{info.get('size')}-{next(changed, '')}"


def _list_manifest(text: str, defaults: RecognitionOptions) -> Iterator[Listed]:
    yield from map_ahead(partial(_list_row, SilentHosts()), read_manifest(text, defaults), _ASKED_AT_ONCE)


def _list_row(hosts: SilentHosts, row: ManifestRow) -> Listed:
    failure = row.failure
    try:
        found = _described(hosts, row)
    except ImportError as error:
        raise UsageError("the manifest cannot be used:", [f"{public_uri(row.uri)}: {error}"]) from error
    except RecordingError as error:
        uri = _whole_uri(row.uri)
        found = Recording(recording_id(uri, ""), uri, "", 0, row.options)
        failure = Failure("plan", error.cause, error.message)
    return Listed(
        replace(found, id=row.id or found.id, reference=row.reference, metadata=row.metadata),
        failure,
    )


def _whole_uri(uri: str) -> str:
    """As the file is named once it can be read: what was said of it before must not stand beside that."""
    try:
        fs, path = locate(uri)
    except ValueError:
        return public_uri(uri)
    return uri_at(fs, path)


def _described(hosts: SilentHosts, row: ManifestRow) -> Recording:
    try:
        fs, path = locate(row.uri)
        return _recording(fs, path, hosts.ask_about(row.uri, lambda: fs.info(path)), row.options)
    except ValueError as error:
        message = f"{public_uri(row.uri)}: names no place that can be read ({redact(str(error))}); correct the manifest"
        raise RecordingError(Cause.BAD_OPTIONS, message) from error
    except storage_errors() as error:
        raise storage_failure(public_uri(row.uri), error) from error
