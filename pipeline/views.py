"""An output as SQL tables: DuckDB with the views `recordings`, `segments`, `words` and `speech` of the current rows.

A connection reads the output and nothing else: no other file, no network, no writing, no change of its settings. What a
user types is data to it, so that a service may hand over the queries of people whom it does not know.
"""

import contextlib
import re
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fsspec.implementations.local import LocalFileSystem

from funasr_beam.model.errors import RunError, UsageError
from funasr_beam.model.redaction import redact
from funasr_beam.model.storage import Folder
from funasr_beam.model.storage_trouble import MAY_BE_GONE
from funasr_beam.model.tables import TABLES
from funasr_beam.pipeline.interrupts import ending_with_signals
from funasr_beam.pipeline.latest_sql import WORDS, as_glob, latest_sql
from funasr_beam.pipeline.thread_files import ThreadFiles
from funasr_beam.pipeline.wholeness import check_whole, damaged_part

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

VIEWS = ("recordings", "segments", "words", "speech")
"""The names that a query may use."""

RECORDING_COLUMNS = """\
r.uri, r.fingerprint, r.size_bytes, r.status, r.container, r.codec, r.sample_rate, r.num_channels,
  r.channel_layout, r.duration, r.speech_duration, r.num_segments, r.num_words, r.model_id, r.metadata,
  r.language AS recording_language, r.flags AS recording_flags, r.error_code AS recording_error_code"""
"""What a condition of a user's over segments can see of their recordings, `r`, beside their own columns."""

_TRACEBACK = "Traceback (most recent call last)"
_CANNOT_OPEN = 'Cannot open file "'
_DAMAGED = ("Failed to read file ", "Parquet file", "magic bytes")
_GONE = ("FileNotFoundError", "No such file or directory")
_MEMORY = "1GB"
_BATCH_ROWS = 8192


@contextlib.contextmanager
def open_views(
    output: Folder, finishing: str | None = None, *, must_be_whole: bool = True
) -> Iterator["duckdb.DuckDBPyConnection"]:
    """A connection in which the current rows of an output's finished runs are the views `VIEWS`.

    Sorting and joining spill to the temporary folder above 1 GB; the rest of the process comes on top.

    Args:
        output: a folder, finished runs or not.
        finishing: a run that counts as finished although its `_SUCCESS` is not written yet; what earlier runs have lost
            does not keep it from being finished.
        must_be_whole: whether lost rows are an error.

    Raises:
        RunError: rows are lost, or a table cannot be read, now or while the connection is used.
    """
    import duckdb

    try:
        with _connected(output, finishing) as connection, ending_with_signals(connection):
            if must_be_whole and finishing is None:
                check_whole(output, connection)
            _lock(connection, output)
            yield connection
    except (duckdb.Error, OSError, ValueError) as error:
        if isinstance(error, duckdb.InvalidInputException) or _is_a_tables_fault(error):
            raise RunError(f"{output.show()}: {_told_of_a_table(output, str(error))}") from error
        raise


def check_output(output: Folder) -> None:
    """Refuse an output that has lost rows or cannot be read.

    Raises:
        RunError: as `open_views`.
    """
    with open_views(output):
        pass


def _is_a_tables_fault(error: Exception) -> bool:
    """Whether a file of the output is at fault, and not the query that reads it."""
    import duckdb

    text = str(error)
    invalid = type(error) is duckdb.Error or text.startswith("Invalid Error: ")  # what its Parquet reader stumbles over
    damaged = invalid or isinstance(error, duckdb.IOException) or any(each in text for each in _DAMAGED)
    return damaged or _failed_read(text) is not None


def _told_of_a_table(output: Folder, text: str) -> str:
    """What is wrong with a file of the output, and what to do."""
    if said := _failed_read(text):
        return _not_there(said)
    what = text.splitlines()[0]
    if ".parquet" not in what:
        what += f": {damaged_part(output) or 'in which file is not known'}"
    return (
        f"a table is damaged or cannot be read ({what}); restore its file from a copy, or delete "
        "the folders of its run in recordings, segments and speech: the same transcribe command then does their "
        "recordings again"
    )


def _failed_read(text: str) -> str | None:
    """What was said when a file could not be opened or read."""
    if text.startswith(_TRACEBACK):  # of a file system of Python's, through DuckDB
        lines = text[text.rindex(_TRACEBACK) :].splitlines()
        return next((line for line in lines[1:] if not line.startswith(" ")), None)
    return next((line for line in text.splitlines() if _CANNOT_OPEN in line), None)


def _not_there(said: str) -> str:
    if any(each in said for each in _GONE):
        return f"a file is there no more ({redact(said)}); {MAY_BE_GONE}"
    return f"a file could not be read ({redact(said)}); try again later"


def _connected(output: Folder, finishing: str | None) -> "duckdb.DuckDBPyConnection":
    import duckdb

    spill = Path(tempfile.gettempdir()) / f"funasr-beam-{uuid.uuid4().hex}"  # DuckDB makes and removes it
    settings: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": _MEMORY,
        "temp_directory": str(spill),
        "preserve_insertion_order": False,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    connection = duckdb.connect(config=settings)
    if not isinstance(output.fs, LocalFileSystem):
        connection.register_filesystem(ThreadFiles(output.fs))
    connection.execute("SET TimeZone = 'UTC'")
    try:
        connection.execute(latest_sql(output.show(), finishing))
    except duckdb.IOException as error:
        if "No files found" not in str(error):
            raise
        _make_empty(connection)
    except duckdb.BinderException as error:
        what = str(error).splitlines()[0]
        raise RunError(f"{output.show()} was written by another version of funasr-beam: {what}") from error
    return connection


def select(connection: "duckdb.DuckDBPyConnection", sql: str) -> "pa.RecordBatchReader":
    """The rows of one SELECT of a user's, as batches.

    Raises:
        UsageError: it is no single SELECT, or DuckDB says no to it.
    """
    with _blaming(_query_problem):
        _check_statement(connection, sql)
        return connection.sql(sql).to_arrow_reader(_BATCH_ROWS)


def batches(reader: "pa.RecordBatchReader") -> Iterator["pa.RecordBatch"]:
    """The batches of a reader.

    Raises:
        UsageError: what the query computes fails on some row.
    """
    with _blaming(_query_problem):
        yield from reader


def chosen(relation: "duckdb.DuckDBPyRelation", condition: str) -> "duckdb.DuckDBPyRelation":
    """The rows for which a user's condition holds.

    Raises:
        UsageError: it is no condition over their columns, or more than one expression.
    """
    with blaming_where():
        return relation.filter(condition)  # the relation takes an expression, and nothing behind it


def blaming_where() -> contextlib.AbstractContextManager[None]:
    """What DuckDB says about a user's condition, without the query that we put around it.

    Raises:
        UsageError: it cannot be used, or fails on some row.
    """
    return _blaming(_where_problem)


@contextlib.contextmanager
def _blaming(problem: Callable[[Exception], UsageError]) -> Iterator[None]:
    """What goes wrong is what the user wrote, unless a file of the output is at fault."""
    import duckdb

    try:
        yield
    except (duckdb.Error, OSError, ValueError) as error:
        if _is_a_tables_fault(error):
            raise
        raise problem(error) from error


def _query_problem(error: Exception) -> UsageError:
    text = str(error)
    if type(error).__name__ == "PermissionException":
        text = "a query sees the views only, and no other file: " + ", ".join(VIEWS)
    text = re.sub(r"^(Unknown error: )?(\w+ Error: )", "", text)
    return UsageError("the query cannot be run:", text.rstrip().splitlines())


def _where_problem(error: Exception) -> UsageError:
    problems = _query_problem(error).problems
    end = next((place for place, line in enumerate(problems) if line.startswith("LINE ")), len(problems))
    return UsageError("--where cannot be used:", [line for line in problems[:end] if line.strip()])


def _make_empty(connection: "duckdb.DuckDBPyConnection") -> None:
    """The views of an output in which no run has published anything."""
    connection.execute("CREATE OR REPLACE VIEW finished_runs AS SELECT NULL::VARCHAR AS run WHERE false")
    for name, schema in TABLES.items():
        connection.from_arrow(schema.empty_table()).create(name)
        connection.execute(f"CREATE OR REPLACE VIEW stored_{name} AS SELECT NULL::VARCHAR AS run, * FROM {name}")
    connection.execute(f"CREATE VIEW words AS {WORDS}")


def _check_statement(connection: "duckdb.DuckDBPyConnection", sql: str) -> None:
    import duckdb

    allowed = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)
    found = connection.extract_statements(sql)
    if len(found) != 1 or found[0].type not in allowed:
        raise UsageError(
            "the query cannot be run:", ["it must be a single SELECT (or WITH, FROM, DESCRIBE, SUMMARIZE)"]
        )


def _lock(connection: "duckdb.DuckDBPyConnection", output: Folder) -> None:
    """Leave the connection nothing but reading the output."""
    places = ", ".join(f"'{place.replace(chr(39), chr(39) * 2)}'" for place in _places(output))
    connection.execute(f"SET allowed_directories = [{places}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET python_enable_replacements = false")  # names in a query are never our variables
    connection.execute("SET lock_configuration = true")


def _places(output: Folder) -> list[str]:
    """The output, in every form in which DuckDB may name it."""
    places = [f"{output.show()}/"]
    protocols: Any = output.fs.protocol
    if not isinstance(output.fs, LocalFileSystem):
        for protocol in (protocols,) if isinstance(protocols, str) else protocols:
            places += [f"{protocol}://{output.root}/"]
    return [*places, *map(as_glob, places)]
