"""A Spark cluster, through Beam's job server."""

from typing import TYPE_CHECKING, Any

from funasr_beam.pipeline.config import RunnerConfig
from funasr_beam.pipeline.engines.base import requested_units
from funasr_beam.pipeline.engines.portable import check_listening, job_endpoint, portable_arguments, portable_runner

if TYPE_CHECKING:
    from apache_beam.options.pipeline_options import PipelineOptions

_NO_SERVER = "start Beam's Spark job server (infra/spark), or name it with runner.job_endpoint"


class SparkEngine:
    """Works on units in the executors of the cluster that a Spark job server submits to."""

    accelerator: str | None = None
    has_gpus = False
    loads_model_here = False

    def __init__(self, config: RunnerConfig) -> None:
        self._config = config
        self._endpoint = job_endpoint(config, "localhost")
        self.units_at_once = requested_units(config)

    def end_leftover(self, job: str) -> None:
        """Only Spark knows."""

    def make_runner(self, job: str) -> tuple[Any, "PipelineOptions"]:
        """The runner."""
        check_listening(self._endpoint, "Beam's Spark job server", _NO_SERVER)
        return portable_runner(portable_arguments(self._config, job, self._endpoint, self.units_at_once))

    def cancel(self, job: str) -> str:
        """Only Spark itself can end the job."""
        return f"job {job} may still be at work on the Spark cluster; end it there"

    def where_to_look(self, job: str) -> None:
        """The job server's log, wherever that is."""
