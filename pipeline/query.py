"""Rows of a query as a table to look at, as CSV or as JSON; nested values are JSON in every form."""

import csv
import json
import re
from collections.abc import Callable, Iterator
from datetime import date, datetime
from decimal import Decimal
from itertools import islice
from typing import IO, TYPE_CHECKING, Any

from funasr_beam.model.errors import UsageError
from funasr_beam.model.storage import Folder
from funasr_beam.pipeline.views import batches, open_views, select

if TYPE_CHECKING:
    import pyarrow as pa

_CELL = 60
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def run_query(output: Folder, sql: str, write: Callable[["pa.Schema", Iterator[list[Any]]], None]) -> None:
    """Run one SELECT over the current rows of an output and hand its rows, one by one, to `write`.

    Raises:
        funasr_beam.model.errors.UsageError: DuckDB does not take the query.
    """
    with open_views(output) as connection:
        reader = select(connection, sql)
        write(reader.schema, _rows(batches(reader)))


def _rows(found: Iterator["pa.RecordBatch"]) -> Iterator[list[Any]]:
    for batch in found:
        yield from map(list, zip(*(_values(column) for column in batch.columns), strict=True))


def _values(column: "pa.Array") -> list[Any]:
    import pyarrow as pa

    found = column.to_pylist()
    if pa.types.is_map(column.type):
        return [None if pairs is None else dict(pairs) for pairs in found]
    return list(found)


def write_csv(file: IO[str]) -> Callable[["pa.Schema", Iterator[list[Any]]], None]:
    """A writer of CSV with a header; null is an empty field."""

    def write(schema: "pa.Schema", rows: Iterator[list[Any]]) -> None:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(schema.names)
        writer.writerows([_plain(value) for value in row] for row in rows)

    return write


def write_json(file: IO[str], *, lines: bool = False) -> Callable[["pa.Schema", Iterator[list[Any]]], None]:
    """A writer of one JSON list of objects, or (`lines`) of an object a line.

    It raises UsageError where two columns have one name.
    """

    def write(schema: "pa.Schema", rows: Iterator[list[Any]]) -> None:
        if twice := sorted({name for name in schema.names if schema.names.count(name) > 1}):
            problem = f"it has several columns of the name {', '.join(twice)}; JSON keeps one: name the others with AS"
            raise UsageError("the query cannot be run:", [problem])
        texts = (_json(dict(zip(schema.names, row, strict=True))) for row in rows)
        if lines:
            file.writelines(f"{text}\n" for text in texts)
            return
        separator = "["
        for text in texts:
            file.write(f"{separator}\n{text}")
            separator = ","
        file.write("[]\n" if separator == "[" else "\n]\n")

    return write


def write_table(most: int) -> Callable[["pa.Schema", Iterator[list[Any]]], None]:
    """A writer of a table for people, at most so many rows."""

    def write(schema: "pa.Schema", rows: Iterator[list[Any]]) -> None:
        from rich.table import Table
        from rich.text import Text

        from funasr_beam.pipeline.console import Console

        table = Table(header_style="bold")
        for field in schema:
            table.add_column(Text(_shown(field.name)), justify="right" if _is_number(field.type) else "left")
        for row in islice(rows, most):
            table.add_row(*(Text(_shortened(_shown(value))) for value in row))
        console = Console()
        console.print_table(table)
        if next(rows, None) is not None:
            more = f"There are more than these {most:,} rows: raise --most, or take --format csv or json"
            console.print(more, style="yellow")
        elif not table.row_count:
            console.print("No rows", style="dim")

    return write


def _is_number(kind: "pa.DataType") -> bool:
    import pyarrow as pa

    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _shown(value: Any) -> str:
    """A value on a terminal, where control characters in a transcript must do nothing."""
    if value is None:
        return ""
    text = f"{value:.6g}" if isinstance(value, float) else str(_plain(value))
    return _CONTROL.sub(" ", text)


def _shortened(text: str) -> str:
    """Texts by their beginning, places by their end."""
    if len(text) <= _CELL:
        return text
    return f"…{text[1 - _CELL :]}" if "://" in text[:8] else f"{text[: _CELL - 1]}…"


def _plain(value: Any) -> Any:
    """A value in one field of text."""
    if isinstance(value, list | dict | bool):
        return _json(value)
    return value.isoformat() if isinstance(value, date | datetime) else value


def _json(value: Any) -> str:
    return json.dumps(_finite(value), ensure_ascii=False, default=_other)


def _finite(value: Any) -> Any:
    """The value with null for numbers that JSON does not have (NaN, infinity)."""
    if isinstance(value, dict):
        return {name: _finite(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and value - value != 0 else value


def _other(value: Any) -> str | float:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value.isoformat() if isinstance(value, date | datetime) else str(value)
