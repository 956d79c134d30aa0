"""Manifests: tables of recordings with what is known about them (CSV, TSV, JSON Lines, Parquet; NeMo's as well)."""

import csv
import io
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from funasr_beam.model.errors import Cause, UsageError
from funasr_beam.model.hotwords import parse_hotwords
from funasr_beam.model.languages import language_code
from funasr_beam.model.records import Failure, RecognitionOptions
from funasr_beam.model.redaction import public_uri, redact
from funasr_beam.model.storable import storable
from funasr_beam.model.storage import locate
from funasr_beam.model.storage_trouble import storage_errors

SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet")
_URI_KEYS = ("uri", "audio_filepath", "path")
_REFERENCE_KEYS = ("reference", "text")
_LANGUAGE_KEYS = ("language", "lang")
_A_PART = (
    "is a part of a file (its offset is not 0), and files are transcribed as a whole: name each file once, without "
    "offset; `funasr-beam evaluate --references` takes a manifest of parts"
)
_KNOWN = {*_URI_KEYS, *_REFERENCE_KEYS, *_LANGUAGE_KEYS, "id", "hotwords", "context"}


@dataclass(frozen=True)
class ManifestRow:
    """One row: the recording's place, and what is known about it."""

    uri: str
    id: str | None
    options: RecognitionOptions
    reference: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    failure: Failure | None = None  # an option that cannot be used


def is_manifest(path: str) -> bool:
    """Whether a file of that name is read as a manifest."""
    return _without_query(path).lower().endswith(SUFFIXES)


def read_manifest(uri: str, defaults: RecognitionOptions) -> Iterator[ManifestRow]:
    """The rows of a manifest; relative places are relative to the manifest's folder.

    Raises:
        UsageError: the file cannot be read, or rows have no place, share an id or mean parts of files; names the rows.
    """
    place = _without_query(uri)
    base = place.rsplit("/", 1)[0] + "/" if "/" in place else ""
    problems: list[str] = []
    ids: set[str] = set()
    for number, values in numbered_rows(uri, problems):
        row = _parse_row(values, base, defaults)
        if row is None:
            own = ", ".join(str(name) for name in values if name)
            problems.append(f"row {number}: has no uri; its columns: {own}; known ones: {', '.join(sorted(_KNOWN))}")
        elif _is_part(values):
            problems.append(f"row {number}: {_A_PART}")
        elif row.id is not None and row.id in ids:
            problems.append(f"row {number}: id {row.id} is there twice")
        else:
            ids.add(row.id or "")
            ids.discard("")
            yield row
    if problems:
        raise UsageError.counting(f"in the manifest {public_uri(uri)}", problems)


def _is_part(values: Mapping[str, Any]) -> bool:
    """Whether a row of a NeMo manifest means a part of a file; `offset` may mean anything elsewhere."""
    try:
        return "audio_filepath" in values and float(values.get("offset") or 0) > 0
    except (TypeError, ValueError):
        return False


def numbered_rows(uri: str, problems: list[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows of a table as they are, with their numbers; lines that cannot be read are added to `problems`.

    Raises:
        UsageError: the file cannot be read.
    """
    try:
        fs, path = locate(uri)
        with fs.open(path, "rb") as file:
            yield from _rows(_without_query(uri).lower(), file, problems)
    except (*storage_errors(), ValueError, ImportError, csv.Error, pa.ArrowException) as error:
        raise UsageError(f"the manifest {public_uri(uri)} cannot be read:", [redact(str(error))]) from error


def _rows(name: str, file: Any, problems: list[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    if name.endswith(".parquet"):
        yield from _parquet_rows(file)
    elif name.endswith((".csv", ".tsv")):
        text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
        header = text.readline()
        yield from enumerate(csv.DictReader(chain([header], text), delimiter=_separator(name, header)), 1)
    else:
        yield from _json_rows(file, problems)


def _separator(name: str, header: str) -> str:
    """What stands between columns: as the name says, or what is there instead; many spreadsheets write semicolons."""
    usual = "\t" if name.endswith(".tsv") else ","
    return usual if usual in header else max(usual + ",;\t", key=header.count)


def _parquet_rows(file: Any) -> Iterator[tuple[int, dict[str, Any]]]:
    number = 0
    for batch in pq.ParquetFile(file).iter_batches(batch_size=4096):
        for values in batch.to_pylist():
            number += 1
            yield number, values


def _json_rows(file: Any, problems: list[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            values = json.loads(line)
        except ValueError as error:
            problems.append(f"line {number}: is not JSON: {error}")
            continue
        if isinstance(values, dict):
            yield number, _storable(values)
        else:
            problems.append(f"line {number}: is not a JSON object; every line has to be one, with the columns as keys")


def _storable(value: Any) -> Any:
    """A value of JSON that a table can hold: its texts may have escapes of what is no Unicode."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, list):
        return [_storable(item) for item in value]
    return {storable(key): _storable(item) for key, item in value.items()} if isinstance(value, dict) else value


def _without_query(uri: str) -> str:
    """A URI without what follows the name of its file, such as a signature."""
    return uri.partition("?")[0] if uri.startswith(("http://", "https://")) else uri


def _parse_row(values: dict[str, Any], base: str, defaults: RecognitionOptions) -> ManifestRow | None:
    values = {key: value for key, value in values.items() if not is_nan(value)}
    uri = _first(values, _URI_KEYS)
    if uri is None:
        return None
    if "://" not in uri and not uri.startswith("/"):
        uri = base + uri
    options, failure = _parse_options(values, defaults)
    metadata = {
        str(key): _shown(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str))
        for key, value in values.items()
        if key not in _KNOWN and key is not None and value is not None
    }
    return ManifestRow(uri, _first(values, ("id",)), options, _first(values, _REFERENCE_KEYS), metadata, failure)


def is_nan(value: Any) -> bool:
    """Whether a cell is empty, as pandas writes empty texts."""
    return isinstance(value, float) and math.isnan(value)


def _shown(text: str) -> str:
    """A user's own column as it goes into the tables: links lose their signatures."""
    return redact(text) if "://" in text else text


def _parse_options(values: dict[str, Any], defaults: RecognitionOptions) -> tuple[RecognitionOptions, Failure | None]:
    language, hotwords, failure = defaults.language, defaults.hotwords, None
    try:
        language = language_code(_first(values, _LANGUAGE_KEYS)) or language
        hotwords = parse_hotwords(values.get("hotwords")) or hotwords
    except ValueError as error:
        failure = Failure("plan", Cause.BAD_OPTIONS, str(error))
    context = _first(values, ("context",)) or defaults.context
    return RecognitionOptions(language, hotwords, context), failure


def _first(values: dict[str, Any], keys: tuple[str, ...]) -> str | None:
    """The first of these columns that says something."""
    for key in keys:
        value = values.get(key)
        if value is not None and str(value).strip():
            return str(value).strip()
    return None
