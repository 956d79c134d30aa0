"""The folder of a run: which run goes on, which is finished, and what was done before."""

import json
import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from funasr_beam.model.errors import Cause
from funasr_beam.model.outcomes import GOOD_STATUSES
from funasr_beam.model.storage import Folder
from funasr_beam.model.tables import TABLES

_RUN_FILE = "run.json"
_SUCCESS = "_SUCCESS"
_BATCH_ROWS = 4096


@dataclass(frozen=True)
class Run:
    """One run over an output folder; it goes on under the same id until it has its `_SUCCESS`."""

    id: str
    text_hash: str
    started_at: str
    units: int | None = None  # None: not planned yet
    recordings: int | None = None

    @property
    def folder(self) -> str:
        """Where the run's own files are, inside the output."""
        return f"runs/{self.id}"


@dataclass(frozen=True)
class FinishedRow:
    """What an earlier run said about a recording."""

    status: str
    error_code: str | None

    @property
    def is_final(self) -> bool:
        """Whether the same bytes need no other try."""
        return self.status in GOOD_STATUSES or self.error_code is None or not Cause(self.error_code).retryable


def open_run(output: Folder, text_hash: str) -> Run:
    """The unfinished run of this configuration, to go on with, or a new one.

    What a killed run of another configuration had published before its `_SUCCESS` is taken back.
    """
    going_on = None
    for run in list_runs(output):
        if is_finished(output, run.id):
            continue
        if run.text_hash == text_hash:
            going_on = run
        else:
            _take_back(output, run)
    if going_on is not None:
        return going_on
    now = datetime.now(UTC)
    run = Run(f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}", text_hash, now.isoformat(timespec="seconds"))
    save_run(output, run)
    return run


def save_run(output: Folder, run: Run) -> None:
    """Write what is known about the run so far."""
    write_json(output, f"{run.folder}/{_RUN_FILE}", asdict(run))


def finish_run(output: Folder, run: Run) -> None:
    """Say that all of the run's files are there; written last."""
    output.write(f"{run.folder}/{_SUCCESS}", b"")


def list_runs(output: Folder) -> list[Run]:
    """All runs of an output, oldest first."""
    runs = []
    for name in output.names("runs"):
        if output.exists(f"runs/{name}/{_RUN_FILE}"):
            runs.append(Run(**json.loads(output.read(f"runs/{name}/{_RUN_FILE}"))))
    return runs


def is_finished(output: Folder, run_id: str) -> bool:
    """Whether a run has published everything."""
    return output.exists(f"runs/{run_id}/{_SUCCESS}")


def finished_runs(output: Folder) -> list[Run]:
    """The runs that have published everything, oldest first."""
    finished = set(finished_run_ids(output))
    return [run for run in list_runs(output) if run.id in finished]


def finished_rows(output: Folder) -> dict[tuple[str, str], FinishedRow]:
    """What finished runs said, by recording id and configuration; a good row is never hidden by a later failure."""
    rows: dict[tuple[str, str], FinishedRow] = {}
    columns = ["recording_id", "config_hash", "status", "error_code"]
    for run in finished_runs(output):
        for row in rows_of(output, "recordings", run.id, columns):
            key, status = (row["recording_id"], row["config_hash"]), row["status"]
            before = rows.get(key)
            if before is None or status in GOOD_STATUSES or before.status not in GOOD_STATUSES:
                rows[key] = FinishedRow(status, row["error_code"])
    return rows


def finished_run_ids(output: Folder) -> list[str]:
    """Ids of the runs that have published everything, oldest first; one listing."""
    return [name.removesuffix(f"/{_SUCCESS}") for name in output.tree("runs") if name.endswith(f"/{_SUCCESS}")]


def part_names(output: Folder, table: str) -> dict[str, list[str]]:
    """The published files of one table by the run in whose folder they are; one listing for all runs."""
    found: dict[str, list[str]] = {}
    for name in output.tree(table):
        folder, slash, _ = name.partition("/")
        if slash and folder.startswith("run="):
            found.setdefault(folder.removeprefix("run="), []).append(f"{table}/{name}")
    return found


def rows_of(output: Folder, table: str, run_id: str, columns: list[str] | None = None) -> Iterator[dict[str, Any]]:
    """The rows of one table of one run, in file order."""
    for batch in batches_of(parts(output, table, run_id), output, table, columns):
        yield from batch.to_pylist()


def batches_of(
    names: Iterable[str], output: Folder, table: str, columns: Sequence[str] | None = None
) -> Iterator[pa.RecordBatch]:
    """The rows in these files of a table, a bounded number at a time; columns that an older file lacks are null."""
    schema = TABLES[table] if columns is None else pa.schema([TABLES[table].field(name) for name in columns])
    for name in names:
        with output.open(name) as file:
            parquet = pq.ParquetFile(file)
            there = [column for column in schema.names if column in parquet.schema_arrow.names]
            for batch in parquet.iter_batches(batch_size=_BATCH_ROWS, columns=there):
                yield _completed(batch, schema)


def parts(output: Folder, table: str, run_id: str) -> list[str]:
    """The published files of one table of one run."""
    folder = f"{table}/run={run_id}"
    return [f"{folder}/{name}" for name in output.names(folder)]


def _completed(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    columns = [
        batch[field.name] if field.name in batch.schema.names else pa.nulls(batch.num_rows, field.type)
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def write_json(output: Folder, name: str, content: Any) -> None:
    """Write a small JSON file, whole."""
    output.write(name, (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode())


def _take_back(output: Folder, run: Run) -> None:
    for table in TABLES:
        output.remove(f"{table}/run={run.id}")
