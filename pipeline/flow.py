"""The transcribe stage as a Beam graph: from planned units to committed ones, in one fused stage."""

from dataclasses import dataclass

import apache_beam as beam

from funasr_beam.model.audio.limits import DecodeLimits
from funasr_beam.model.commits import CommittedUnits
from funasr_beam.model.front_end import FrontEndConfig
from funasr_beam.model.records import Unit
from funasr_beam.model.transcripts import TranscriberConfig
from funasr_beam.pipeline.plan import Plan
from funasr_beam.transforms.commit_units import CommitUnits
from funasr_beam.transforms.decode_and_segment import DecodeAndSegment
from funasr_beam.transforms.planned_units import PlannedUnits
from funasr_beam.transforms.transcribe import Transcribe


@dataclass(frozen=True)
class StageConfig:
    """Plain values for every step of the transcribe stage; all of it is sent to the workers."""

    front_end: FrontEndConfig
    limits: DecodeLimits
    transcriber: TranscriberConfig
    committed: CommittedUnits


def transcribe_units(units: beam.PCollection[Unit], config: StageConfig) -> beam.PCollection[str]:
    """Turn planned units into committed ones; gives their names."""
    audio = units | DecodeAndSegment(config.front_end, config.limits, config.committed)
    results = audio | Transcribe(config.transcriber)
    return results | CommitUnits(config.committed)


def build(pipeline: beam.Pipeline, plan: Plan, config: StageConfig) -> None:
    """The whole graph; the one shuffle carries the places of units in the plan."""
    transcribe_units(pipeline | PlannedUnits(plan.files.output, plan.files.unit_files(), plan.access), config)
