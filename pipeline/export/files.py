"""Files of an export: written beside their place, and put there when they are whole."""

import gzip
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import IO, Any, Protocol

from funasr_beam.model.storage import Folder
from funasr_beam.pipeline.export.records import ExportRecording


class Exporter(Protocol):
    """Writes recordings in one format, one after another."""

    def add(self, recording: ExportRecording) -> None:
        """Write one recording."""

    def finish(self) -> None:
        """Put what was written where readers look."""

    def discard(self) -> None:
        """Leave nothing behind of what is not finished."""


@dataclass
class Tally:
    """What went out, and what a format or the audio did not let out."""

    exported: Counter[str] = field(default_factory=Counter)  # by "recordings", "segments", "words", ...
    left_out: Counter[tuple[str, str]] = field(default_factory=Counter)  # by ("segments", why)

    def leave_out(self, what: str, why: str, count: int = 1) -> None:
        """Count something that does not go out."""
        if count:
            self.left_out[what, why] += count

    def took(self, recording: ExportRecording, segments: int) -> None:
        """Count a recording with so many of its segments."""
        self.exported["recordings"] += 1
        self.exported["segments"] += segments


class Draft:
    """A UTF-8 text file that is not where readers look before `publish`; `.gz` names are compressed."""

    def __init__(self, folder: Folder, name: str) -> None:
        self._folder = folder
        self._name = name
        self._path = folder.draft()
        self._raw: IO[bytes] = folder.fs.open(self._path, "wb")
        # No name and no time inside, so that equal rows make equal files.
        self._file: Any = (
            gzip.GzipFile(filename="", mode="wb", fileobj=self._raw, mtime=0) if name.endswith(".gz") else self._raw
        )

    def write(self, text: str) -> None:
        """Append text."""
        self._file.write(text.encode())

    def write_json(self, content: Any) -> None:
        """Append one line of JSON."""
        self.write(to_json(content) + "\n")

    def publish(self) -> None:
        """Complete the file and move it to its place."""
        self._close()
        self._folder.publish(self._path, self._name)

    def discard(self) -> None:
        """Remove the draft."""
        self._close()
        if self._folder.fs.exists(self._path):
            self._folder.fs.rm(self._path)

    def _close(self) -> None:
        self._file.close()
        if not self._raw.closed:
            self._raw.close()


@dataclass
class Drafts:
    """The files of a format that has one of each kind for all recordings."""

    folder: Folder
    names: tuple[str, ...]
    _open: dict[str, Draft] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in self.names:
            self._open[name] = Draft(self.folder, name)

    def __getitem__(self, name: str) -> Draft:
        return self._open[name]

    def publish(self) -> None:
        """Put all in place."""
        for name in self.names:
            self._open.pop(name).publish()

    def discard(self) -> None:
        """Remove those that are not in place."""
        while self._open:
            self._open.popitem()[1].discard()


def to_json(content: Any, indent: int | None = None) -> str:
    """JSON with its letters as they are."""
    return json.dumps(content, ensure_ascii=False, indent=indent)


def milliseconds(seconds: float) -> float:
    """Seconds to the millisecond, as other tools keep them."""
    return round(seconds, 3)
