"""One run from inputs to published tables: plan, transcribe, assemble."""

import logging
import platform
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from funasr_beam.model.assembly import assemble
from funasr_beam.model.audio.limits import DecodeLimits
from funasr_beam.model.checkpoint import CheckpointInfo
from funasr_beam.model.commits import CommittedUnits
from funasr_beam.model.errors import RunError, UsageError
from funasr_beam.model.families import FUN_ASR_NANO, REMOTE
from funasr_beam.model.front_end import FrontEndConfig
from funasr_beam.model.imports import import_quietly
from funasr_beam.model.itn import itn_version
from funasr_beam.model.listing import Listed
from funasr_beam.model.plan_files import earlier_plans, next_plan, plans_folder
from funasr_beam.model.planning import PlanRules
from funasr_beam.model.recognizers.base import RemoteSettings
from funasr_beam.model.recognizers.families import describe_model, name_for_workers
from funasr_beam.model.redaction import redact, redact_all
from funasr_beam.model.rows import Provenance
from funasr_beam.model.segmentation import SegmentationConfig
from funasr_beam.model.silero import vad_version
from funasr_beam.model.span_index import SpanIndex
from funasr_beam.model.storage import Folder
from funasr_beam.model.stored_files import without_damage
from funasr_beam.model.transcripts import TranscriberConfig, load_transcriber
from funasr_beam.model.version import __version__
from funasr_beam.pipeline.alignment import alignment_identity, alignment_settings
from funasr_beam.pipeline.claim import Claim, ClaimedWatch, only_run
from funasr_beam.pipeline.config import Config, text_hash
from funasr_beam.pipeline.done import read_done
from funasr_beam.pipeline.drift import drift_of_unfinished
from funasr_beam.pipeline.engines.base import Engine
from funasr_beam.pipeline.latest_sql import write_latest_sql
from funasr_beam.pipeline.metrics import RunFacts, write_metrics
from funasr_beam.pipeline.plan import (
    Plan,
    PlanSettings,
    Probes,
    check_inputs,
    list_everything,
    make_plan,
    probes_at_once,
    unit_length_s,
)
from funasr_beam.pipeline.progress import Display, UnitWatch
from funasr_beam.pipeline.regressions import read_regressions
from funasr_beam.pipeline.report.write import write_run_report
from funasr_beam.pipeline.run_folder import (
    Run,
    clear_leftovers,
    finish_run,
    finished_run_ids,
    open_run,
    save_run,
    write_json,
)
from funasr_beam.pipeline.runners import make_engine
from funasr_beam.pipeline.views import check_output

if TYPE_CHECKING:
    from funasr_beam.transforms.transcribe_units import StageConfig

_STAGE = ("funasr_beam.transforms.transcribe_units", "funasr_beam.pipeline.flow", "funasr_beam.pipeline.submission")
"""All that imports Beam, and with its RunInference torch: not for a run that has nothing to do."""

_TELL_EVERY = 20_000
_NAMED_PACKAGES = ("apache-beam", "torch", "transformers", "torchaudio", "av", "silero-vad", "wetext", "pyarrow")

_log = logging.getLogger("funasr_beam")


@dataclass(frozen=True)
class RunReport:
    """What a run did, for the summary and the exit code."""

    run_id: str
    output: Folder
    metrics: dict[str, Any]
    empty_inputs: tuple[str, ...] = ()  # those in which there is no recording

    @property
    def failed_share(self) -> float:
        """Share of failed recordings among those that this run worked on."""
        counts = self.metrics["recordings"]
        worked_on = sum(counts[status] for status in ("ok", "partial", "no_speech", "failed"))
        return counts["failed"] / worked_on if worked_on else 0.0


@dataclass(frozen=True)
class _Submission:
    """Where the units go, under which name, and how to tell that the output is still this run's."""

    engine: Engine
    job: str
    claim: Claim


@dataclass(frozen=True)
class _Work:
    """What a run needs to know, all of it checked."""

    config: Config
    engine: Engine
    output: Folder
    checkpoint: CheckpointInfo
    segmentation: SegmentationConfig
    key: str  # hash of what can change a text
    claim: Claim


def transcribe(config: Config, display: Display) -> RunReport:
    """Transcribe everything that is not done yet, and publish the tables.

    Raises:
        funasr_beam.model.errors.UsageError: an input or option cannot be used; nothing was started.
        funasr_beam.model.errors.RunError: the run cannot go on.
    """
    began = time.monotonic()
    engine = make_engine(config.runner)
    output = Folder(config.output)
    check_inputs(config)
    checkpoint = describe_model(config.model)
    _check_language(config, checkpoint)
    _warn_of_hints(config, checkpoint)
    _warn_of_precision(config, checkpoint)
    segmentation = fit_segmentation(config, checkpoint)
    versions = tool_versions() | alignment_identity(alignment_settings(config))
    key = text_hash(config, segmentation, checkpoint.identity, versions)
    with only_run(output) as claim:
        output.remove("_work/drafts")  # what a killed run had begun to write
        work = _Work(config, engine, output, checkpoint, segmentation, key, claim)
        run, plan = without_damage(output, lambda: _published(work, display))
        regressions, share = read_regressions(output, run.id), plan.totals.missing_share
        facts = RunFacts(time.monotonic() - began, plan.totals.unchanged, regressions, share)
        summary = _finish(output, run, config, facts)
        _warn_of_losses(output)
    return RunReport(run.id, output, summary, plan.empty_inputs)


def _published(work: _Work, display: Display) -> tuple[Run, Plan]:
    """Plan, transcribe and assemble: the tables of the run are there afterwards."""
    output, config = work.output, work.config
    display.phase("Planning")
    plan = _plan(config, output, work.key, work.engine, display)
    run = replace(open_run(output, work.key), units=plan.totals.units, recordings=plan.totals.recordings)
    save_run(output, run)
    committed = CommittedUnits(output, work.key)
    if plan.totals.units:
        submission = _Submission(work.engine, job_name(run), work.claim)
        _transcribe_units(plan, _stage(config, work.checkpoint, work.segmentation, committed), display, submission)
        work.claim()
    display.phase("Assembling tables")
    index = SpanIndex(committed, earlier_plans(output, work.key))
    assemble(plan.recordings(), index, output, _provenance(run, work.checkpoint), config.part_mb * 2**20)
    work.claim()
    return run, plan


def _plan(config: Config, output: Folder, key: str, engine: Engine, display: Display) -> Plan:
    clear_leftovers(output, key)
    index = SpanIndex(CommittedUnits(output, key), earlier_plans(output, key))
    rules = PlanRules(config.plan.span_s, key, config.plan.probe_above_kb * 2**10)
    settings = PlanSettings(rules, unit_length_s(config, engine), engine.units_at_once, probes_at_once(config))
    probes = Probes(_limits(config))
    try:
        done = read_done(output, config.retry)
        empty: list[str] = []
        listed = _report_count(list_everything(config, empty.append), display)
        plan = make_plan(listed, done, index, settings, next_plan(output, key), probes)
        return replace(plan, empty_inputs=tuple(map(redact, empty)))
    finally:
        probes.close()


def _report_count(listed: Iterable[Listed], display: Display) -> Iterator[Listed]:
    """The inputs as they come; the display says how many there are so far."""
    for count, item in enumerate(listed, 1):
        if count % _TELL_EVERY == 0:
            display.phase(f"Planning: {count:,} inputs so far")
        yield item


def fit_segmentation(config: Config, checkpoint: CheckpointInfo) -> SegmentationConfig:
    """The settings for cutting, within what the checkpoint was trained for."""
    section = config.segmentation
    max_s = min(section.max_s, checkpoint.longest_segment_s)
    return SegmentationConfig(**section.model_dump() | {"max_s": max_s, "target_s": min(section.target_s, max_s)})


def tool_versions() -> dict[str, str]:
    """Versions of what can change a transcript."""
    return {"pipeline": __version__, "vad": vad_version(), "itn": itn_version()}


def job_name(run: Run) -> str:
    """The name of a run's job on a cluster; the same when the run goes on."""
    return f"funasr-beam-{run.id.lower()}"


def _warn_of_hints(config: Config, checkpoint: CheckpointInfo) -> None:
    """Hotwords that nobody reads must not look as if they worked."""
    recognition = config.recognition
    if (recognition.hotwords or recognition.hotwords_file or recognition.context) and not checkpoint.family.takes_hints:
        _log.warning("%s takes no hotwords and no context; they are left out", checkpoint.family.name)


def _warn_of_precision(config: Config, checkpoint: CheckpointInfo) -> None:
    """A precision that nobody computes in must not look as if it were."""
    recognition = config.recognition
    if recognition.llm_precision != "auto" and checkpoint.family is REMOTE:
        _log.warning("recognition.llm_precision is left out: whoever serves a remote model chooses it")
    if recognition.encoder_precision != "auto" and checkpoint.family is not FUN_ASR_NANO:
        _log.warning("recognition.encoder_precision is left out: only Fun-ASR-Nano has this choice")


def _check_language(config: Config, checkpoint: CheckpointInfo) -> None:
    language = config.recognition.language
    if language and language not in checkpoint.languages:
        known = ", ".join(checkpoint.languages)
        problem = f'recognition.language = "{language}": the model knows {known} only'
        raise UsageError.counting("in the command", [problem])


def _limits(config: Config) -> DecodeLimits:
    return DecodeLimits(stall_s=config.decode.stall_s, max_memory_bytes=config.decode.memory_mb * 2**20)


def _stage(
    config: Config, checkpoint: CheckpointInfo, segmentation: SegmentationConfig, committed: CommittedUnits
) -> "StageConfig":
    import_quietly(*_STAGE)
    from funasr_beam.transforms.check_worker import Expected
    from funasr_beam.transforms.transcribe_units import StageConfig

    recognition = config.recognition
    model = name_for_workers(config.model)
    return StageConfig(
        Expected(model, checkpoint.identity),
        FrontEndConfig(segmentation, min(config.plan.border_window_s, config.plan.span_s / 4)),
        _limits(config),
        TranscriberConfig(
            model=model,
            device=recognition.device,
            audio_tokens=None if recognition.audio_tokens == "checkpoint" else recognition.audio_tokens,
            itn=recognition.itn,
            repair=recognition.repair,
            max_padded_s=config.batching.max_padded_s,
            max_items=config.batching.max_items,
            alignment=alignment_settings(config),
            remote=RemoteSettings(**config.remote.model_dump()),
            encoder_precision=recognition.encoder_precision,
            llm_precision=recognition.llm_precision,
            process=recognition.process,
        ),
        committed,
    )


def _transcribe_units(plan: Plan, stage: "StageConfig", display: Display, to: _Submission) -> None:
    from funasr_beam.pipeline import flow
    from funasr_beam.pipeline.submission import run_job

    if to.engine.loads_model_here:
        # What keeps the model from loading is said before work has begun.
        display.phase("Loading the model")
        load_transcriber(stage.transcriber)
    to.engine.end_leftover(to.job)
    units = UnitWatch(stage.committed, plan)
    watch = ClaimedWatch(units, to.claim)
    display.phase("Transcribing")
    run_job(
        to.engine, to.job, lambda pipeline: flow.build(pipeline, plan, stage, to.engine.accelerator), watch, display
    )
    if missing := units.uncommitted():
        raise RunError(f"the engine says it is done, but {missing:,} units are not committed; run the command again")


def _provenance(run: Run, checkpoint: CheckpointInfo) -> Provenance:
    return Provenance(
        run.id,
        checkpoint.model_id,
        checkpoint.sha256,
        __version__,
        vad_version(),
        itn_version(),
        datetime.now(UTC),
    )


def _finish(output: Folder, run: Run, config: Config, facts: RunFacts) -> dict[str, Any]:
    """Write the run's own files, `_SUCCESS` last, and put away what was only needed to go on."""
    summary = write_metrics(output, run, config.metrics, facts)
    summary["drift"] = [check.name for check in drift_of_unfinished(output, run.id).alarms]
    write_json(output, f"{run.folder}/config.json", redact_all(config.model_dump(mode="json")))
    write_json(output, f"{run.folder}/environment.json", _environment())
    write_latest_sql(output, [*finished_run_ids(output), run.id])
    write_run_report(output, run)
    finish_run(output, run)
    output.remove(CommittedUnits(output, run.text_hash).folder)
    output.remove(plans_folder(run.text_hash))
    return summary


def _warn_of_losses(output: Folder) -> None:
    """Say what else in the output cannot be read; this run has only added to it."""
    try:
        check_output(output)
    except RunError as error:
        _log.warning("%s", error)


def _environment() -> dict[str, Any]:
    return {
        "funasr_beam": __version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "packages": {name: _package_version(name) for name in _NAMED_PACKAGES},
    }


def _package_version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
