"""The tables of a run while they are written: drafts, a row group at a time, and another file when one is large."""

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet as pq

from funasr_beam.model.rows import Row
from funasr_beam.model.storage import Folder
from funasr_beam.model.tables import TABLES

PART_BYTES = 512 * 2**20
"""Size at which a table of a run becomes several files; below it a run appears whole to whoever reads names."""

_ROWS_PER_GROUP = 10_000
_BYTES_PER_GROUP = 64 * 2**20
_ROWS_AS_OBJECTS = 500  # a segment with its words takes some 20 kB as Python objects, and 2 kB in Arrow
_LAST = "recordings"  # published last: whoever sees a recording finds its segments


@dataclass(frozen=True)
class Part:
    """A finished file of one table, not yet where readers look."""

    draft: str
    name: str


class TableDrafts:
    """Writes all tables of a run as drafts; leaves nothing behind when it fails."""

    def __init__(self, output: Folder, run_id: str, part_bytes: int = PART_BYTES) -> None:
        self._output = output
        self._run_id = run_id
        self._drafts = {table: _Drafts(output, schema, part_bytes) for table, schema in TABLES.items()}

    def __enter__(self) -> "TableDrafts":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for drafts in self._drafts.values():
            drafts.close()
            if kind is not None:
                drafts.discard()

    def add(self, table: str, rows: Iterable[Row]) -> None:
        """Append rows to a table."""
        self._drafts[table].add(rows)

    def add_batch(self, table: str, batch: pa.RecordBatch) -> None:
        """Append rows that are in Arrow already."""
        self._drafts[table].add_table(pa.Table.from_batches([batch]))

    def publish(self) -> None:
        """Complete every file; then, and not before, move them all to where readers look."""
        parts = [part for table in sorted(self._drafts, key=lambda name: name == _LAST) for part in self._parts(table)]
        for part in parts:
            self._output.publish(part.draft, part.name)
        self._remove_others({part.name for part in parts})

    def _parts(self, table: str) -> Iterator[Part]:
        for number, draft in enumerate(self._drafts[table].finish()):
            yield Part(draft, f"{table}/run={self._run_id}/part-{number:05d}.parquet")

    def _remove_others(self, published: set[str]) -> None:
        """A killed attempt may have published more parts than there are now."""
        for table in TABLES:
            folder = f"{table}/run={self._run_id}"
            for name in self._output.names(folder):
                if f"{folder}/{name}" not in published:
                    self._output.remove(f"{folder}/{name}")


@dataclass
class _Drafts:
    """The files of one table; the last of them is open."""

    output: Folder
    schema: pa.Schema
    part_bytes: int
    paths: list[str] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    held: list[pa.Table] = field(default_factory=list)
    writer: pq.ParquetWriter | None = None
    sink: Any = None

    def add(self, rows: Iterable[Row]) -> None:
        for row in rows:
            self.rows.append(row)
            if len(self.rows) >= _ROWS_AS_OBJECTS:
                self._pack()

    def add_table(self, table: pa.Table) -> None:
        self._pack()
        self.held.append(table)
        self._flush_if_large()

    def finish(self) -> list[str]:
        self._pack()
        if self.held or not self.paths:
            self._flush()
        self.close()
        return self.paths

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()
            self.sink.close()
            self.writer = None

    def discard(self) -> None:
        for path in self.paths:
            with contextlib.suppress(FileNotFoundError):  # published already
                self.output.fs.rm(path)

    def _pack(self) -> None:
        if self.rows:
            self.held.append(pa.Table.from_pylist(self.rows, schema=self.schema))
            self.rows = []
            self._flush_if_large()

    def _flush_if_large(self) -> None:
        rows, size = sum(table.num_rows for table in self.held), sum(table.nbytes for table in self.held)
        if rows >= _ROWS_PER_GROUP or size >= _BYTES_PER_GROUP:
            self._flush()

    def _flush(self) -> None:
        """Write what is held as row groups, and close a file that has become large."""
        if self.writer is None:
            self.paths.append(self.output.draft())
            self.sink = _arrow_filesystem(self.output).open_output_stream(self.paths[-1])
            self.writer = pq.ParquetWriter(self.sink, self.schema, compression="zstd")
        if self.held:
            self.writer.write_table(pa.concat_tables(self.held))
            self.held = []
        if self.sink.tell() >= self.part_bytes:
            self.close()


def _arrow_filesystem(output: Folder) -> Any:
    return pa.fs.PyFileSystem(pa.fs.FSSpecHandler(output.fs))
