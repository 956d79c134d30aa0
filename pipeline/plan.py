"""The plan of a run: what there is, what is done already, and the units of work that are left; streamed to storage."""

import contextlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from fsspec.implementations.local import LocalFileSystem

from funasr_beam.model.access import AccessUris
from funasr_beam.model.audio.limits import DecodeLimits
from funasr_beam.model.audio.sandbox import Decoder
from funasr_beam.model.audio.source import MediaSource
from funasr_beam.model.endpoint import is_remote
from funasr_beam.model.errors import RunError, UsageError
from funasr_beam.model.hotwords import read_hotwords
from funasr_beam.model.listing import InputNotFoundError, Listed, check_exist, list_inputs
from funasr_beam.model.plan_files import PlanFiles, PlanTotals
from funasr_beam.model.planning import (
    UNIT_S,
    PlannedRecording,
    PlanRules,
    Probe,
    channel_s,
    declared_s,
    fitting_unit_s,
    pack_units,
    plan_recordings,
)
from funasr_beam.model.recognizers.base import GPU_UNIT_S
from funasr_beam.model.records import MediaInfo, RecognitionOptions, Recording, Seconds
from funasr_beam.model.redaction import redact
from funasr_beam.model.span_index import SpanIndex
from funasr_beam.model.storage import locate
from funasr_beam.model.storage_trouble import storage_errors, storage_failure
from funasr_beam.pipeline.config import Config
from funasr_beam.pipeline.done import DoneIndex
from funasr_beam.pipeline.engines.base import Engine

_REMOTE_PROBES = 16


@dataclass(frozen=True)
class PlanSettings:
    """What decides how the work is cut."""

    rules: PlanRules
    unit_s: Seconds
    workers: int
    probes: int  # recordings probed at once


@dataclass(frozen=True)
class Plan:
    """What a run will do."""

    files: PlanFiles
    totals: PlanTotals
    access: AccessUris = field(default_factory=AccessUris)
    empty_inputs: tuple[str, ...] = ()  # those in which there is no recording, as they may be shown

    def recordings(self) -> Iterator[PlannedRecording]:
        """What the run works on, in the order of the listing."""
        return self.files.recordings(self.totals.span_s)


@dataclass
class Probes:
    """A decoder process for each probing thread; call it with a recording."""

    limits: DecodeLimits
    decoders: list[Decoder] = field(default_factory=list)
    own: threading.local = field(default_factory=threading.local)

    def __call__(self, recording: Recording) -> MediaInfo:
        """What the container says.

        Raises:
            funasr_beam.model.errors.RecordingError: it cannot be read.
        """
        if not hasattr(self.own, "decoder"):
            self.own.decoder = Decoder(self.limits)
            self.decoders.append(self.own.decoder)
        media: MediaInfo = self.own.decoder.probe(MediaSource(recording.uri, recording.access_uri))
        return media

    def close(self) -> None:
        """End the processes."""
        for decoder in self.decoders:
            decoder.close()


def check_inputs(config: Config) -> None:
    """Refuse what names nothing, before anything is done.

    Raises:
        UsageError: an input does not exist or matches nothing, or a manifest cannot be read.
        RunError: the storage of an input cannot be reached.
    """
    with _listing_errors():
        check_exist(config.input)


def probes_at_once(config: Config) -> int:
    """How many files the plan asks for their length at once: a store answers slowly, but many at a time."""
    if config.plan.probes:
        return config.plan.probes
    is_remote = any(not isinstance(locate(text)[0], LocalFileSystem) for text in config.input)
    return _REMOTE_PROBES if is_remote else len(os.sched_getaffinity(0))


def unit_length_s(config: Config, engine: Engine) -> Seconds:
    """Audio of a unit of work, where there is enough of it: what the user says, or what suits the device."""
    device = config.recognition.device
    on_gpus = device == "cuda" or (device == "auto" and engine.has_gpus)
    return config.plan.unit_s or (GPU_UNIT_S if on_gpus and not is_remote(config.model) else UNIT_S)


def list_everything(config: Config, on_empty: Callable[[str], object] = lambda _: None) -> Iterator[Listed]:
    """Every input once, as it is found; `on_empty` is told each in which there is no recording.

    Raises:
        UsageError: an input names nothing, or a manifest cannot be read.
        RunError: the storage of an input cannot be reached.
    """
    given = config.recognition
    from_file = read_hotwords(given.hotwords_file) if given.hotwords_file else ()
    defaults = RecognitionOptions(given.language, tuple(dict.fromkeys((*given.hotwords, *from_file))), given.context)
    with _listing_errors():
        yield from list_inputs(config.input, defaults, config.output, on_empty)


@contextlib.contextmanager
def _listing_errors() -> Iterator[None]:
    try:
        yield
    except InputNotFoundError as error:
        raise UsageError("the input cannot be used:", [redact(str(error))]) from error
    except storage_errors() as error:
        reason = storage_failure("the input cannot be listed", error)
        raise reason if isinstance(reason, RunError) else RunError(reason.message) from error


def make_plan(
    listed: Iterable[Listed], done: DoneIndex, index: SpanIndex, settings: PlanSettings, files: PlanFiles, probe: Probe
) -> Plan:
    """Leave out what is finished, probe what must be, and pack the spans that are not committed yet.

    Two passes, since the length of a unit depends on how much there is; neither holds the plan in memory.
    """
    tally, access = _Tally(), AccessUris()
    todo = _learned(done.leave_out_done(listed, settings.rules.text_hash), access)
    for planned in files.write_recordings(plan_recordings(todo, probe, settings.rules, settings.probes)):
        tally.add(planned, index)
    span_s = settings.rules.span_s
    missing = (span for planned in files.recordings(span_s) for span in planned.spans if span.id not in index)
    unit_s = fitting_unit_s(tally.channel_s, settings.unit_s, settings.workers)
    units = files.write_units(pack_units(missing, unit_s))
    totals = PlanTotals(span_s, tally.recordings, done.unchanged, tally.failed, units, tally.audio_s, tally.missing_s)
    files.finish(totals)
    return Plan(files, totals, access)


def _learned(listed: Iterable[Listed], access: AccessUris) -> Iterator[Listed]:
    for item in listed:
        access.learn(item.recording)
        yield item


@dataclass
class _Tally:
    recordings: int = 0
    failed: int = 0
    audio_s: Seconds = 0.0
    missing_s: Seconds = 0.0
    channel_s: Seconds = 0.0  # of what is missing

    def add(self, planned: PlannedRecording, index: SpanIndex) -> None:
        self.recordings += 1
        self.failed += planned.failure is not None and not planned.skipped
        self.audio_s += planned.audio_s
        missing = [span for span in planned.spans if span.id not in index]
        self.missing_s += sum(map(declared_s, missing))
        self.channel_s += sum(map(channel_s, missing))
