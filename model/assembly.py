"""From committed units to published tables: stitch the spans of each recording, judge it, write whole files."""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet as pq

from funasr_beam.model.commits import CommittedUnits
from funasr_beam.model.errors import RunError
from funasr_beam.model.outcomes import Outcome, judge
from funasr_beam.model.planning import PlannedRecording
from funasr_beam.model.results import SpanResult
from funasr_beam.model.rows import Provenance, Row, recording_row, segment_rows, speech_rows
from funasr_beam.model.storage import Folder
from funasr_beam.model.tables import TABLES

_ROWS_PER_GROUP = 10_000
_UNITS_IN_MEMORY = 4


@dataclass(frozen=True)
class Part:
    """A finished file of one table, not yet where readers look."""

    draft: str
    name: str


class SpanIndex:
    """Finds the result of a span among the committed units, whatever plan they were made under."""

    def __init__(self, committed: CommittedUnits) -> None:
        self._committed = committed
        self._units: dict[str, str] = {}
        for unit in committed.names():
            self._units.update(dict.fromkeys(committed.span_ids(unit), unit))
        self._held: OrderedDict[str, dict[str, SpanResult]] = OrderedDict()

    def __contains__(self, span_id: str) -> bool:
        """Whether a span is done."""
        return span_id in self._units

    def result(self, span_id: str) -> SpanResult:
        """The committed result of a span.

        Raises:
            RunError: it was never committed.
        """
        unit = self._units.get(span_id)
        if unit is None:
            raise RunError(f"span {span_id} is missing from the committed units; run the same command again")
        if unit not in self._held:
            self._held[unit] = {span.span_id: span for span in self._committed.spans(unit)}
            if len(self._held) > _UNITS_IN_MEMORY:
                self._held.popitem(last=False)
        return self._held[unit][span_id]


def assemble(planned: Iterable[PlannedRecording], index: SpanIndex, output: Folder, provenance: Provenance) -> None:
    """Write the tables of a run and publish them, `recordings` last.

    Drafts are complete before the first one is moved, so that readers never see a run that is being written.
    """
    with TableDrafts(output, provenance.run_id) as tables:
        for recording in planned:
            outcome = judge(recording, [index.result(span.id) for span in recording.spans])
            _write(outcome, tables, provenance)
        parts = tables.finish()
    for part in parts:
        output.publish(part.draft, part.name)


def _write(outcome: Outcome, tables: "TableDrafts", provenance: Provenance) -> None:
    tables.add("segments", segment_rows(outcome, provenance))
    tables.add("speech", speech_rows(outcome, provenance))
    tables.add("recordings", [recording_row(outcome, provenance)])


@dataclass
class _Draft:
    """One table while it is written."""

    path: str
    writer: pq.ParquetWriter
    rows: list[Row] = field(default_factory=list)

    def flush(self, schema: pa.Schema) -> None:
        if self.rows:
            self.writer.write_table(pa.Table.from_pylist(self.rows, schema=schema))
            self.rows = []


class TableDrafts:
    """Writes all tables of a run as drafts, a row group at a time; leaves nothing behind when it fails."""

    def __init__(self, output: Folder, run_id: str) -> None:
        self._output = output
        self._run_id = run_id
        self._drafts: dict[str, _Draft] = {}

    def __enter__(self) -> "TableDrafts":
        for table, schema in TABLES.items():
            path = self._output.draft()
            writer = pq.ParquetWriter(path, schema, filesystem=_arrow_filesystem(self._output), compression="zstd")
            self._drafts[table] = _Draft(path, writer)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for draft in self._drafts.values():
            draft.writer.close()
            if kind is not None:
                self._output.fs.rm(draft.path)

    def add(self, table: str, rows: Iterable[Row]) -> None:
        """Append rows to a table."""
        draft = self._drafts[table]
        draft.rows.extend(rows)
        if len(draft.rows) >= _ROWS_PER_GROUP:
            draft.flush(TABLES[table])

    def finish(self) -> list[Part]:
        """Complete every file; in the order in which they are to be published."""
        return list(self._finish())

    def _finish(self) -> Iterator[Part]:
        for table in ("segments", "speech", "recordings"):
            draft = self._drafts[table]
            draft.flush(TABLES[table])
            draft.writer.close()
            yield Part(draft.path, f"{table}/run={self._run_id}/part-00000.parquet")


def _arrow_filesystem(output: Folder) -> Any:
    return pa.fs.PyFileSystem(pa.fs.FSSpecHandler(output.fs))
