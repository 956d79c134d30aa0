"""The plan on the storage: recordings and units as Parquet below `_work/plans`, written and read in small pieces.

Nobody holds a whole plan: the driver streams it, a worker reads its unit, and `status` reads two narrow columns.
"""

import contextlib
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from funasr_beam.model.errors import Cause, RunError
from funasr_beam.model.planning import PlannedRecording, cut_recording, declared_s
from funasr_beam.model.records import Failure, MediaInfo, RecognitionOptions, Recording, Seconds, Unit
from funasr_beam.model.storage import Folder
from funasr_beam.model.stored_files import open_parquet, read_json, telling_damage

if TYPE_CHECKING:
    from pydantic import TypeAdapter

_RECORDINGS_PER_FILE = 20_000
_UNITS_PER_FILE = 512
_UNITS_PER_GROUP = 8  # a worker reads this many to have one: some 100 kB, little beside their audio

_T = TypeVar("_T")

_MEDIA = pa.struct(
    [
        ("container", pa.string()),
        ("codec", pa.string()),
        ("sample_rate", pa.int32()),
        ("num_channels", pa.int32()),
        ("duration_s", pa.float64()),
        ("audio_streams", pa.int32()),
    ]
)
_RECORDINGS = pa.schema(
    [
        ("recording_id", pa.string()),
        ("uri", pa.string()),
        ("fingerprint", pa.string()),
        ("size_bytes", pa.int64()),
        ("language", pa.string()),
        ("hotwords", pa.list_(pa.string())),
        ("context", pa.string()),
        ("reference", pa.string()),
        ("metadata", pa.map_(pa.string(), pa.string())),
        ("config_hash", pa.string()),
        ("media", _MEDIA),
        ("failure", pa.struct([("stage", pa.string()), ("cause", pa.string()), ("message", pa.string())])),
        ("skipped", pa.bool_()),
        ("tries_before", pa.int32()),
    ]
)
_UNITS = pa.schema(
    [
        ("name", pa.string()),
        ("audio_s", pa.float64()),
        ("guessed_s", pa.float64()),  # of these: of files that nobody has opened yet
        ("recordings", pa.int32()),  # whose last span is in the unit
        ("span_ids", pa.list_(pa.string())),
        ("payload", pa.string()),
    ]
)


@dataclass(frozen=True)
class PlanTotals:
    """How much a plan holds; written when all of it is."""

    span_s: Seconds  # how recordings were cut
    recordings: int = 0
    unchanged: int = 0
    failed: int = 0  # recordings that failed before any work
    units: int = 0
    audio_s: Seconds = 0.0
    missing_s: Seconds = 0.0  # audio of the units: what was not committed before

    @property
    def missing_share(self) -> float:
        """Share of the audio that was not committed before: less than 1 in a run that goes on."""
        return self.missing_s / self.audio_s if self.audio_s else 1.0


@dataclass(frozen=True)
class UnitPlace:
    """Where a unit is in the plan: a few bytes for the shuffle."""

    file: str
    row: int


@dataclass(frozen=True)
class UnitFacts:
    """What progress knows of a unit before it is done."""

    name: str
    audio_s: Seconds
    guessed_s: Seconds  # of these: of files that nobody has opened yet
    recordings: int


@dataclass(frozen=True)
class PlanFiles:
    """One plan below an output folder."""

    output: Folder
    folder: str

    def write_recordings(self, planned: Iterable[PlannedRecording]) -> Iterator[PlannedRecording]:
        """Write recordings as they come, and pass them on; the files are complete at the end."""
        for number, held in enumerate(_batched(planned, _RECORDINGS_PER_FILE)):
            table = pa.Table.from_pylist([_recording_row(one) for one in held], schema=_RECORDINGS)
            self._write(f"recordings-{number:05d}.parquet", table, _RECORDINGS_PER_FILE)
            yield from held

    def write_units(self, units: Iterable[Unit]) -> int:
        """Write units as they come; gives their number."""
        count = 0
        for number, held in enumerate(_batched(units, _UNITS_PER_FILE)):
            table = pa.Table.from_pylist([_unit_row(_public(unit)) for unit in held], schema=_UNITS)
            self._write(f"units-{number:05d}.parquet", table, _UNITS_PER_GROUP)
            count += len(held)
        return count

    def finish(self, totals: PlanTotals) -> None:
        """Say that the plan is whole."""
        self.output.write(f"{self.folder}/plan.json", json.dumps(asdict(totals)).encode())

    @property
    def totals(self) -> PlanTotals:
        """What `finish` was told."""
        name = f"{self.folder}/plan.json"
        values = read_json(self.output, name)
        with telling_damage(self.output, name):
            return PlanTotals(**values)

    def recordings(self, span_s: Seconds) -> Iterator[PlannedRecording]:
        """The recordings in order, cut as they were planned."""
        for name in self._names("recordings-"):
            with open_parquet(self.output, name) as file:
                for batch in file.iter_batches(batch_size=2048):
                    yield from (_planned(row, span_s) for row in batch.to_pylist())

    def unit_files(self) -> list[str]:
        """Names of the files that hold the units."""
        return self._names("units-")

    def unit_facts(self) -> Iterator[UnitFacts]:
        """What progress needs, unit by unit."""
        for name in self.unit_files():
            with open_parquet(self.output, name) as file:
                columns = file.read(columns=["name", "audio_s", "guessed_s", "recordings"])
            yield from (UnitFacts(**row) for row in columns.to_pylist())

    def unit_spans(self) -> Iterator[pa.Table]:
        """Columns `name` and `span_ids`, file by file."""
        for name in self.unit_files():
            with open_parquet(self.output, name) as file:
                columns = file.read(columns=["name", "span_ids"])
            yield columns

    def _names(self, prefix: str) -> list[str]:
        return [f"{self.folder}/{name}" for name in self.output.names(self.folder) if name.startswith(prefix)]

    def _write(self, name: str, table: pa.Table, rows_per_group: int) -> None:
        buffer = io.BytesIO()
        pq.write_table(table, buffer, row_group_size=rows_per_group, compression="zstd")
        self.output.write(f"{self.folder}/{name}", buffer.getvalue())


def unit_places(output: Folder, file: str) -> Iterator[UnitPlace]:
    """The units in one file of a plan, without reading them.

    Raises:
        RunError: the plan is not there any more.
    """
    with _opened(output, file) as opened:
        rows = opened.metadata.num_rows
    yield from (UnitPlace(file, row) for row in range(rows))


def read_unit(output: Folder, place: UnitPlace) -> Unit:
    """One unit of a plan; reads its row group only.

    Raises:
        RunError: the plan is not there any more.
    """
    with _opened(output, place.file) as opened:
        group = opened.read_row_group(place.row // _UNITS_PER_GROUP, columns=["payload"])
        return _codec().validate_json(group.column("payload")[place.row % _UNITS_PER_GROUP].as_py())


@contextlib.contextmanager
def _opened(output: Folder, file: str) -> Iterator[pq.ParquetFile]:
    """A file of the plan that a run is at work on."""
    try:
        with open_parquet(output, file) as opened:
            yield opened
    except FileNotFoundError as error:
        where = output.show(file)
        raise RunError(f"{where}: was removed while a run was at work on it; run the command again") from error


def plans_folder(text_hash: str) -> str:
    """Where the plans of unfinished work under a configuration are."""
    return f"_work/plans/{text_hash}"


def earlier_plans(output: Folder, text_hash: str) -> list[PlanFiles]:
    """The plans that were made for unfinished work under a configuration, oldest first."""
    folder = plans_folder(text_hash)
    names = [f"{folder}/{name}" for name in output.names(folder)]
    return [PlanFiles(output, name) for name in names if output.exists(f"{name}/plan.json")]


def next_plan(output: Folder, text_hash: str) -> PlanFiles:
    """A place for another plan."""
    folder = plans_folder(text_hash)
    last = max((int(name) for name in output.names(folder) if name.isdigit()), default=0)
    return PlanFiles(output, f"{folder}/{last + 1:06d}")


def _recording_row(planned: PlannedRecording) -> dict[str, Any]:
    recording, options, failure = planned.recording, planned.recording.options, planned.failure
    return {
        "recording_id": recording.id,
        "uri": recording.uri,
        "fingerprint": recording.fingerprint,
        "size_bytes": recording.size_bytes,
        "language": options.language,
        "hotwords": options.hotwords,
        "context": options.context,
        "reference": recording.reference,
        "metadata": list(recording.metadata.items()),
        "config_hash": planned.config_hash,
        "media": vars(planned.media) if planned.media else None,
        "failure": {"stage": failure.stage, "cause": failure.cause.value, "message": failure.message}
        if failure
        else None,
        "skipped": planned.skipped,
        "tries_before": planned.tries_before,
    }


def _planned(row: dict[str, Any], span_s: Seconds) -> PlannedRecording:
    options = RecognitionOptions(row["language"], tuple(row["hotwords"]), row["context"])
    recording = Recording(
        row["recording_id"],
        row["uri"],
        row["fingerprint"],
        row["size_bytes"],
        options,
        row["reference"],
        dict(row["metadata"]),
    )
    key, failed = row["config_hash"], row["failure"]
    media = MediaInfo(**row["media"]) if row["media"] else None
    failure = Failure(failed["stage"], Cause(failed["cause"]), failed["message"]) if failed else None
    spans = () if failure else cut_recording(recording, media, span_s, key)
    return PlannedRecording(recording, key, media, spans, failure, row["skipped"], row["tries_before"])


def _unit_row(unit: Unit) -> dict[str, Any]:
    return {
        "name": unit.name,
        "audio_s": sum(declared_s(span) for span in unit.spans),
        "guessed_s": sum(declared_s(span) for span in unit.spans if span.media is None),
        "recordings": sum(span.end_s is None for span in unit.spans),
        "span_ids": [span.id for span in unit.spans],
        "payload": _codec().dump_json(unit).decode(),
    }


def _public(unit: Unit) -> Unit:
    """The unit without credentials: those are never written."""
    if all(span.recording.access_uri is None for span in unit.spans):
        return unit
    spans = (replace(span, recording=replace(span.recording, access_uri=None)) for span in unit.spans)
    return replace(unit, spans=tuple(spans))


def _batched(items: Iterable[_T], size: int) -> Iterator[list[_T]]:
    rest = iter(items)
    while held := list(islice(rest, size)):
        yield held


@cache
def _codec() -> "TypeAdapter[Unit]":
    from pydantic import TypeAdapter

    return TypeAdapter(Unit)
