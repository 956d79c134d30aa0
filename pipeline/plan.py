"""The plan of a run: what there is, what is done already, and the units of work that are left."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.parquet as pq

from funasr_beam.model.assembly import SpanIndex
from funasr_beam.model.audio.limits import DecodeLimits
from funasr_beam.model.audio.sandbox import Decoder
from funasr_beam.model.audio.source import MediaSource
from funasr_beam.model.errors import UsageError
from funasr_beam.model.hotwords import read_hotwords
from funasr_beam.model.listing import InputNotFoundError, Listed, list_inputs
from funasr_beam.model.planning import (
    PlannedRecording,
    declared_s,
    fitting_unit_s,
    pack_units,
    plan_recordings,
    recording_config_hash,
)
from funasr_beam.model.records import MediaInfo, RecognitionOptions, Recording, Seconds, Unit
from funasr_beam.model.redaction import redact
from funasr_beam.model.storage import Folder
from funasr_beam.model.storage_trouble import run_failure, storage_errors
from funasr_beam.pipeline.config import Config
from funasr_beam.pipeline.run_folder import FinishedRow

_PLAN_SCHEMA = pa.schema(
    [
        ("recording_id", pa.string()),
        ("uri", pa.string()),
        ("audio_s", pa.float64()),
        ("error_code", pa.string()),
        ("error_detail", pa.string()),
        ("span_ids", pa.list_(pa.string())),
    ]
)


@dataclass(frozen=True)
class PlanSettings:
    """What decides how the work is cut."""

    span_s: Seconds
    unit_s: Seconds
    workers: int
    text_hash: str
    limits: DecodeLimits


@dataclass(frozen=True)
class Plan:
    """What a run will do."""

    recordings: tuple[PlannedRecording, ...]
    units: tuple[Unit, ...]
    unchanged: int
    done_s: Seconds = 0.0  # audio that was committed before
    total_s: Seconds = 0.0


@dataclass
class _Probes:
    """A decoder process for each probing thread."""

    limits: DecodeLimits
    decoders: list[Decoder] = field(default_factory=list)
    own: threading.local = field(default_factory=threading.local)

    def probe(self, recording: Recording) -> MediaInfo:
        if not hasattr(self.own, "decoder"):
            self.own.decoder = Decoder(self.limits)
            self.decoders.append(self.own.decoder)
        media: MediaInfo = self.own.decoder.probe(MediaSource(recording.uri, recording.access_uri))
        return media

    def close(self) -> None:
        for decoder in self.decoders:
            decoder.close()


def list_everything(config: Config) -> list[Listed]:
    """Every input once.

    Raises:
        UsageError: an input names nothing, or a manifest cannot be read.
        RunError: the storage of an input cannot be reached.
    """
    told = config.recognition
    from_file = read_hotwords(told.hotwords_file) if told.hotwords_file else ()
    defaults = RecognitionOptions(told.language, tuple(dict.fromkeys((*told.hotwords, *from_file))), told.context)
    try:
        return list(list_inputs(config.input, defaults, config.output))
    except InputNotFoundError as error:
        raise UsageError("the input cannot be used:", [redact(str(error))]) from error
    except storage_errors() as error:
        raise run_failure("the input cannot be listed", error) from error


def make_plan(
    listed: Sequence[Listed],
    finished: dict[tuple[str, str], FinishedRow],
    index: SpanIndex,
    settings: PlanSettings,
) -> Plan:
    """Leave out what is finished, probe the rest, and pack the spans that are not committed yet."""
    todo = [item for item in listed if not _is_finished(item, finished, settings.text_hash)]
    probes = _Probes(settings.limits)
    try:
        planned = tuple(
            plan_recordings(todo, probes.probe, settings.span_s, settings.text_hash, threads=settings.workers)
        )
    finally:
        probes.close()
    missing = [span for recording in planned for span in recording.spans if span.id not in index]
    unit_s = fitting_unit_s(missing, settings.unit_s, settings.workers)
    total_s = sum(recording.audio_s for recording in planned)
    done_s = total_s - sum(declared_s(span) for span in missing)
    return Plan(planned, tuple(pack_units(missing, unit_s)), len(listed) - len(todo), done_s, total_s)


def save_plan(output: Folder, run_id: str, plan: Plan) -> None:
    """Write what `status` needs to tell what is left."""
    rows = [
        {
            "recording_id": planned.recording.id,
            "uri": planned.recording.uri,
            "audio_s": planned.audio_s,
            "error_code": planned.failure.cause.value if planned.failure else None,
            "error_detail": planned.failure.message if planned.failure else None,
            "span_ids": [span.id for span in planned.spans],
        }
        for planned in plan.recordings
    ]
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows, schema=_PLAN_SCHEMA), sink)
    output.write(plan_path(run_id), sink.getvalue().to_pybytes())


def plan_path(run_id: str) -> str:
    """Where the plan of an unfinished run is."""
    return f"_work/plans/{run_id}.parquet"


def _is_finished(item: Listed, finished: dict[tuple[str, str], FinishedRow], text_hash: str) -> bool:
    row = finished.get((item.recording.id, recording_config_hash(item.recording, text_hash)))
    return row is not None and row.is_final
