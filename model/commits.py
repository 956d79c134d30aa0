"""Committed units: the one checkpoint of a run. Each is an immutable Parquet object, written whole."""

import io
import json
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from funasr_beam.model.records import Seconds
from funasr_beam.model.results import SpanResult, UnitResult
from funasr_beam.model.storage import Folder
from funasr_beam.model.stored_files import open_parquet

if TYPE_CHECKING:
    from pydantic import TypeAdapter

_SCHEMA = pa.schema(
    [("span_id", pa.string()), ("recording_id", pa.string()), ("failed", pa.bool_()), ("payload", pa.string())]
)
_SUMMARY_KEY = b"funasr_beam.unit"


@dataclass(frozen=True)
class UnitSummary:
    """What progress shows of a unit; kept in the object's footer, so that it is cheap to read."""

    name: str
    audio_s: Seconds
    padded_s: Seconds
    recordings: tuple[str, ...]
    failed_recordings: tuple[str, ...]


@dataclass(frozen=True)
class CommittedUnits:
    """The committed units of one configuration below an output folder.

    Whatever reads one raises DamagedFileError where it does not hold what was committed.
    """

    output: Folder
    config_hash: str

    @property
    def folder(self) -> str:
        """Where the objects are, inside the output."""
        return f"_work/units/{self.config_hash}"

    def names(self) -> list[str]:
        """Names of all committed units."""
        return [name.removesuffix(".parquet") for name in self.output.names(self.folder) if name.endswith(".parquet")]

    def has(self, unit: str) -> bool:
        """Whether a unit is committed."""
        return self.output.exists(self._path(unit))

    def commit(self, result: UnitResult) -> None:
        """Write a finished unit so that others see it whole or not at all."""
        self.output.write(self._path(result.name), _encode(result))

    def summary(self, unit: str) -> UnitSummary:
        """The footer of a committed unit."""
        with open_parquet(self.output, self._path(unit)) as file:
            values = json.loads(file.schema_arrow.metadata[_SUMMARY_KEY])
            return UnitSummary(
                values["name"],
                values["audio_s"],
                values["padded_s"],
                tuple(values["recordings"]),
                tuple(values["failed_recordings"]),
            )

    def span_ids(self, unit: str) -> list[str]:
        """Ids of the spans in a committed unit, without reading their results."""
        with open_parquet(self.output, self._path(unit)) as file:
            ids: list[str] = file.read(columns=["span_id"]).column("span_id").to_pylist()
        return ids

    def spans(self, unit: str) -> list[SpanResult]:
        """The results in a committed unit."""
        with open_parquet(self.output, self._path(unit)) as file:
            payloads = file.read(columns=["payload"]).column("payload")
            return [_codec().validate_json(payload.as_py()) for payload in payloads]

    def _path(self, unit: str) -> str:
        return f"{self.folder}/{unit}.parquet"


def _encode(result: UnitResult) -> bytes:
    rows = {
        "span_id": [span.span_id for span in result.spans],
        "recording_id": [span.recording_id for span in result.spans],
        "failed": [span.failure is not None for span in result.spans],
        "payload": [_codec().dump_json(span).decode() for span in result.spans],
    }
    table = pa.table(rows, schema=_SCHEMA.with_metadata({_SUMMARY_KEY: json.dumps(_summarise(result)).encode()}))
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def _summarise(result: UnitResult) -> dict[str, Any]:
    return {
        "name": result.name,
        "audio_s": sum(span.duration_s for span in result.spans),
        "padded_s": result.padded_s,
        "recordings": sorted({span.recording_id for span in result.spans}),
        "failed_recordings": sorted({span.recording_id for span in result.spans if span.failure}),
    }


@cache
def _codec() -> "TypeAdapter[SpanResult]":
    from pydantic import TypeAdapter

    return TypeAdapter(SpanResult)
