"""What the run needs to know of an engine."""

from typing import TYPE_CHECKING, Any, Protocol

from funasr_beam.pipeline.config import RunnerConfig

if TYPE_CHECKING:
    from apache_beam.options.pipeline_options import PipelineOptions

UNKNOWN_WORKERS = 8
"""How many units are taken to be worked on at once on a cluster that does not tell, where the user does not either."""


class Engine(Protocol):
    """One way to run the pipeline."""

    units_at_once: int  # 1 or more
    loads_model_here: bool  # whether the workers live in this process

    has_gpus: bool  # as far as it tells; False: none, or nobody knows
    accelerator: str | None  # Beam's resource hint for the transcribe stage

    def end_leftover(self, job: str) -> None:
        """End a job of that name that a killed command left behind, so that it does not work beside the next one.

        Raises:
            funasr_beam.model.errors.RunError: it does not end.
        """

    def make_runner(self, job: str) -> tuple[Any, "PipelineOptions"]:
        """The Beam runner and its options for a job of that name.

        Raises:
            funasr_beam.model.errors.RunError: the engine cannot be reached.
        """

    def cancel(self, job: str) -> str | None:
        """End the job, since nobody waits for it any more; gives what to tell the user, if there is anything."""

    def where_to_look(self, job: str) -> str | None:
        """Where the engine shows what went wrong with a job."""


def requested_units(config: RunnerConfig) -> int:
    """What the user wants, or a guess."""
    return config.workers or UNKNOWN_WORKERS
