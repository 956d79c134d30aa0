"""Shards of about equal length, each written whole once: an export that was stopped goes on behind the last one."""

import json
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import IO

from funasr_beam.model.records import Seconds
from funasr_beam.model.storage import Folder
from funasr_beam.pipeline.export.files import Tally
from funasr_beam.pipeline.export.records import ExportRecording, ExportSegment

SHARD_S = 2 * 3600.0
"""Audio in a shard: about 120 MB of FLAC."""

_SHARD_SEGMENTS = 20_000

Piece = tuple[ExportRecording, tuple[ExportSegment, ...]]
"""Some of a recording's segments."""

WriteShard = Callable[[IO[bytes], Iterable[Piece]], int]
"""Writes pieces into a file and tells how many segments went in."""


@dataclass(frozen=True)
class ShardNames:
    """Where shards lie."""

    key: str  # changes with the rows and the options: only shards of the same key are gone on with
    pattern: str  # such as "data/train-{:05d}.parquet"


class Shards:
    """Collects segments and writes a shard whenever there are enough of them."""

    def __init__(self, folder: Folder, tally: Tally, names: ShardNames, write: WriteShard) -> None:
        self._folder = folder
        self._tally = tally
        self._names = names
        self._write = write
        self._pieces: list[Piece] = []
        self._held_s: Seconds = 0.0
        self._held = self._count = 0
        for name in folder.names("_work"):  # of an earlier export of other rows
            if name.startswith("export-") and name != f"export-{names.key}":
                folder.remove(f"_work/{name}")

    def add(self, recording: ExportRecording) -> None:
        """Put its segments into the shard at hand, and into the next ones."""
        self._tally.took(recording, 0)
        first = 0
        for place, segment in enumerate(recording.segments, 1):
            self._held_s += segment.duration_s
            self._held += 1
            if self._held_s >= SHARD_S or self._held >= _SHARD_SEGMENTS:
                self._pieces.append((recording, recording.segments[first:place]))
                self._flush()
                first = place
        if first < len(recording.segments):
            self._pieces.append((recording, recording.segments[first:]))

    def finish(self) -> None:
        """Put all shards in place, and remove those of an earlier, longer export."""
        self._flush()
        for number in range(self._count):
            staged = self._staged(number)
            # After an interruption here, some are in place already.
            if self._folder.exists(staged):
                self._folder.publish(self._folder.path(staged), self._names.pattern.format(number))
        number = self._count
        while self._folder.exists(self._names.pattern.format(number)):
            self._folder.remove(self._names.pattern.format(number))
            number += 1
        self._tally.exported["shards"] += self._count

    def discard(self) -> None:
        """Finished shards stay for the next try."""

    def _flush(self) -> None:
        if not self._pieces:
            return
        note = f"{self._staged(self._count)}.json"
        if not self._folder.exists(note):
            self._write_shard(note)
        told = json.loads(self._folder.read(note))
        self._tally.exported["segments"] += told["segments"]
        for what, why, count in told["left_out"]:
            self._tally.leave_out(what, why, count)
        self._count += 1
        self._pieces, self._held_s, self._held = [], 0.0, 0

    def _write_shard(self, note: str) -> None:
        before = self._tally.left_out.copy()
        with ExitStack() as undo:
            draft = self._folder.draft()
            undo.callback(self._folder.fs.rm, draft)
            with self._folder.fs.open(draft, "wb") as file:
                segments = self._write(file, self._pieces)
            self._folder.publish(draft, self._staged(self._count))
            undo.pop_all()
        left_out = [(*key, count) for key, count in (self._tally.left_out - before).items()]
        self._tally.left_out = before  # counted from the note, as for a shard of an earlier try
        self._folder.write(note, json.dumps({"segments": segments, "left_out": left_out}).encode())

    def _staged(self, number: int) -> str:
        return f"_work/export-{self._names.key}/{number:06d}"
