"""The transcribe stage as a Beam graph: from planned units to committed ones."""

import apache_beam as beam

from funasr_beam.pipeline.plan import Plan
from funasr_beam.transforms.planned_units import PlannedUnits
from funasr_beam.transforms.transcribe_units import StageConfig, TranscribeUnits


def build(pipeline: beam.Pipeline, plan: Plan, config: StageConfig, accelerator: str | None = None) -> None:
    """The whole graph; the one shuffle carries the places of units in the plan.

    Args:
        pipeline: an empty one.
        plan: what is to be done.
        config: how.
        accelerator: Beam's resource hint for the transcribe stage, such as `type:nvidia-l4;count:1`; none: no hint.
    """
    stage = TranscribeUnits(config)
    if accelerator:
        stage = stage.with_resource_hints(accelerator=accelerator)
    pipeline | PlannedUnits(plan.files.output, plan.files.unit_files(), plan.access) | stage
