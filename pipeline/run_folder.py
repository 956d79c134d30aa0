"""The folder of a run: which run goes on, which is finished, and what was done before."""

import json
import logging
import secrets
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pyarrow as pa

from funasr_beam.model.errors import RunError, UsageError
from funasr_beam.model.storage import Folder
from funasr_beam.model.stored_files import DamagedFileError, open_parquet, read_json, telling_damage
from funasr_beam.model.tables import TABLES

TRANSCRIPTION = "transcribe"
COMPACTION = "compact"
FORGETTING = "forget"
"""The kinds of run: one that transcribed, one that only moved rows, and one that moved those that were to stay."""

_log = logging.getLogger("funasr_beam")
METRICS = "metrics.json"
"""What a run counted, in its folder."""

_RUN_FILE = "run.json"
_SUCCESS = "_SUCCESS"
_STAMP = "%Y%m%dT%H%M%SZ"
_BATCH_ROWS = 4096
_READERS = 16
_SHOWN = 5


@dataclass(frozen=True)
class Run:
    """One run over an output folder; it goes on under the same id until it has its `_SUCCESS`."""

    id: str
    text_hash: str
    started_at: str
    units: int | None = None  # None: not planned yet
    recordings: int | None = None
    kind: str = TRANSCRIPTION
    replaces: tuple[str, ...] = ()  # runs whose rows this one has taken over

    @property
    def transcribed(self) -> bool:
        """Whether its rows are its own work; otherwise they were moved here."""
        return self.kind == TRANSCRIPTION

    @property
    def folder(self) -> str:
        """Where the run's own files are, inside the output."""
        return f"runs/{self.id}"


def clear_leftovers(output: Folder, text_hash: str) -> None:
    """Without an unfinished run of this configuration, remove what an earlier one left in `_work`.

    A run that was killed between its `_SUCCESS` and clearing up leaves its committed units. They must not be found by
    the next run, which has come to try some of them again.
    """
    if _going_on(output, text_hash) is None:
        output.remove(f"_work/units/{text_hash}")
        output.remove(f"_work/plans/{text_hash}")


def open_run(output: Folder, text_hash: str) -> Run:
    """The unfinished run of this configuration, to go on with, or a new one; always the newest run by its id.

    What a killed run of another configuration had published before its `_SUCCESS` is taken back. An unfinished run
    with a newer one behind it goes on under a new id: what is decided last must be newest.
    """
    discard_unfinished_compactions(output)
    run, newest = _going_on(output, text_hash), max((run.id for run in list_runs(output)), default="")
    opened = run if run is not None and run.id == newest else new_run(output, text_hash)
    save_run(output, opened)
    for old in _unfinished(output):
        if old.id != opened.id:
            remove_tables(output, old.id)
            if old.text_hash == text_hash:
                output.remove(old.folder)
    return opened


def discard_unfinished_compactions(output: Folder) -> None:
    """Take back what a killed compaction had written; nothing had been deleted for it."""
    for run in _unfinished(output):
        if not run.transcribed:
            remove_tables(output, run.id)
            output.remove(run.folder)


def new_run(output: Folder, text_hash: str, kind: str = TRANSCRIPTION, replaces: tuple[str, ...] = ()) -> Run:
    """A run with an id behind all others, whatever the clock says; not saved yet."""
    now = datetime.now(UTC)
    newest = max((run.id for run in list_runs(output)), default="")
    started_at = now.isoformat(timespec="seconds")
    stamp = _stamp_behind(newest, now)
    return Run(f"{stamp}-{secrets.token_hex(3)}", text_hash, started_at, kind=kind, replaces=replaces)


def _stamp_behind(newest: str, now: datetime) -> str:
    stamp = f"{now:{_STAMP}}"
    if newest[: len(stamp)] < stamp:
        return stamp
    try:
        after = datetime.strptime(newest[: len(stamp)], _STAMP).replace(tzinfo=UTC) + timedelta(seconds=1)
    except ValueError:  # an id that somebody gave by hand
        return newest
    return f"{after:{_STAMP}}"


def _going_on(output: Folder, text_hash: str) -> Run | None:
    unfinished = [run for run in _unfinished(output) if run.text_hash == text_hash]
    return unfinished[-1] if unfinished else None


def _unfinished(output: Folder) -> list[Run]:
    finished = set(finished_run_ids(output))
    return [run for run in list_runs(output) if run.id not in finished]


def save_run(output: Folder, run: Run) -> None:
    """Write what is known about the run so far."""
    write_json(output, f"{run.folder}/{_RUN_FILE}", asdict(run))


def finish_run(output: Folder, run: Run) -> None:
    """Say that all of the run's files are there; written last."""
    output.write(f"{run.folder}/{_SUCCESS}", b"")


def list_runs(output: Folder) -> list[Run]:
    """All runs of an output, oldest first."""
    names = [name for name in output.tree("runs") if name.endswith(f"/{_RUN_FILE}") and name.count("/") == 1]
    with ThreadPoolExecutor(_READERS, "runs") as pool:
        runs = pool.map(lambda name: _read_run(output, f"runs/{name}"), names)
    return sorted((run for run in runs if run), key=lambda run: run.id)


def _read_run(output: Folder, name: str) -> Run | None:
    try:
        with telling_damage(output, name):
            values = dict(read_json(output, name))
            return Run(**values | {"replaces": tuple(values.get("replaces", ()))})
    except DamagedFileError as error:
        _warn_once(str(error))
        return None


@cache
def _warn_once(message: str) -> None:
    """A command reads the same notes several times."""
    _log.warning("%s", message)


def read_if_sound(output: Folder, name: str) -> dict[str, Any]:
    """What a run has noted in a small JSON file; nothing where it is damaged, since no transcript depends on it."""
    try:
        values = read_json(output, name)
        with telling_damage(output, name):
            return dict(values)
    except DamagedFileError as error:
        _warn_once(str(error))
        return {}


def finished_runs(output: Folder) -> list[Run]:
    """The runs that have published everything, oldest first."""
    finished = set(finished_run_ids(output))
    return [run for run in list_runs(output) if run.id in finished]


def finished_run_ids(output: Folder) -> list[str]:
    """Ids of the runs that have published everything, oldest first; one listing."""
    return sorted(name.removesuffix(f"/{_SUCCESS}") for name in output.tree("runs") if name.endswith(f"/{_SUCCESS}"))


def published_run_ids(output: Folder) -> set[str]:
    """Ids of the runs that have a table, finished or not."""
    return {run_id for table in TABLES for run_id in part_names(output, table)}


def part_names(output: Folder, table: str) -> dict[str, list[str]]:
    """The published files of one table by the run in whose folder they are; one listing for all runs."""
    found: dict[str, list[str]] = {}
    for name in output.tree(table):
        folder, slash, _ = name.partition("/")
        if slash and folder.startswith("run="):
            found.setdefault(folder.removeprefix("run="), []).append(f"{table}/{name}")
    return found


def batches_of(
    names: Iterable[str], output: Folder, table: str, columns: Sequence[str] | None = None
) -> Iterator[pa.RecordBatch]:
    """The rows in these files of a table, a bounded number at a time; columns that an older file lacks are null.

    Raises:
        RunError: all columns are wanted, and a newer version has written some that this one does not know.
    """
    schema = TABLES[table] if columns is None else pa.schema([TABLES[table].field(name) for name in columns])
    for name in names:
        with open_parquet(output, name) as parquet:
            written = parquet.schema_arrow.names
            if columns is None and (unknown := sorted({*written} - {*schema.names})):
                what = f"has columns that this version of funasr-beam does not know ({', '.join(unknown)})"
                raise RunError(f"{output.show(name)}: {what}, and would lose them; use the version that wrote it")
            there = [column for column in schema.names if column in written]
            for batch in parquet.iter_batches(batch_size=_BATCH_ROWS, columns=there):
                yield _completed(batch, schema)


def parts(output: Folder, table: str, run_id: str) -> list[str]:
    """The published files of one table of one run."""
    folder = f"{table}/run={run_id}"
    return [f"{folder}/{name}" for name in output.names(folder)]


def check_run(output: Folder, run_id: str) -> None:
    """Refuse a run whose rows cannot be looked at.

    Raises:
        UsageError: there is no such run, or it has no rows of its own.
    """
    if not output.exists(f"runs/{run_id}"):
        last = ", ".join(output.names("runs")[-_SHOWN:])
        raise UsageError(f"--run {run_id}: is no run of this output", [f"the last runs are {last}"])
    if not parts(output, "recordings", run_id):
        why = "it was not finished, or compact has moved them to a newer run"
        raise UsageError(f"--run {run_id}: has no rows", [f"{why}; what it counted is in runs/{run_id}/{METRICS}"])


def _completed(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    columns = [
        batch[field.name] if field.name in batch.schema.names else pa.nulls(batch.num_rows, field.type)
        for field in schema
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def write_json(output: Folder, name: str, content: Any) -> None:
    """Write a small JSON file, whole."""
    output.write(name, (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode())


def remove_tables(output: Folder, run_id: str) -> None:
    """Delete what a run has published."""
    for table in TABLES:
        output.remove(f"{table}/run={run_id}")
