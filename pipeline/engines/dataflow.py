"""Google Cloud Dataflow."""

from typing import TYPE_CHECKING, Any

from funasr_beam.model.errors import RunError, UsageError
from funasr_beam.pipeline.config import RunnerConfig
from funasr_beam.pipeline.engines.base import requested_units

if TYPE_CHECKING:
    from apache_beam.options.pipeline_options import PipelineOptions

_THREADS = 4  # a few decode while one holds the GPU
_NEEDED = {
    "project": "the Google Cloud project",
    "region": "where the workers run, such as europe-west4",
    "temp_location": "a gs:// folder for staging",
    "sdk_container_image": "the image built from infra/images/gpu.Dockerfile",
}


class DataflowEngine:
    """Works on units in Dataflow's workers, one Python process and one model in each."""

    loads_model_here = False

    def __init__(self, config: RunnerConfig) -> None:
        self._config = config
        self.units_at_once = requested_units(config)
        self.accelerator = accelerator_hint(config.accelerator)
        self.has_gpus = self.accelerator is not None
        _check_complete(config)

    def end_leftover(self, job: str) -> None:
        """Dataflow refuses a second job of the same name."""

    def make_runner(self, job: str) -> tuple[Any, "PipelineOptions"]:
        """The runner; needs the Google Cloud parts of Beam."""
        from apache_beam.options.pipeline_options import PipelineOptions

        try:
            from apache_beam.runners.dataflow.dataflow_runner import DataflowRunner
        except ImportError as error:
            raise RunError('--runner dataflow needs: pip install "apache-beam[gcp]"') from error
        return DataflowRunner(), PipelineOptions(dataflow_arguments(self._config, job), pipeline_type_check=True)

    def cancel(self, job: str) -> str:
        """Dataflow goes on without us, and would bill for it."""
        return f"job {job} still runs; end it with: gcloud dataflow jobs cancel"

    def where_to_look(self, job: str) -> str:
        """Dataflow's own pages."""
        return f"https://console.cloud.google.com/dataflow/jobs (job {job})"


def dataflow_arguments(config: RunnerConfig, job: str) -> list[str]:
    """Beam's options for Dataflow: what our stage needs, then what the user says."""
    return [
        "--runner=DataflowRunner",
        f"--job_name={dataflow_name(job)}",
        # One process with a few threads holds one model; the default, a process for each core, would hold one each.
        "--experiments=no_use_multiple_sdk_containers",
        f"--number_of_worker_harness_threads={_THREADS}",
        # The image has everything; nothing is installed when a worker starts.
        "--sdk_location=container",
        *([f"--num_workers={config.workers}"] if config.workers else []),
        *config.options,
    ]


def accelerator_hint(name: str | None) -> str | None:
    """Dataflow's resource hint for one GPU of that name."""
    return f"type:{name};count:1;install-nvidia-driver" if name else None


def dataflow_name(job: str) -> str:
    """The name as Dataflow allows it: lower case letters, digits and hyphens."""
    return "".join(mark if mark.isalnum() else "-" for mark in job.lower())


def _check_complete(config: RunnerConfig) -> None:
    told = {option.lstrip("-").partition("=")[0] for option in config.options}
    missing = [f"runner.options: --{key}=... is required: {why}" for key, why in _NEEDED.items() if key not in told]
    if config.accelerator and {"worker_accelerator", "dataflow_service_options"} & told:
        missing.append("runner.accelerator: hints the transcribe stage; leave out --worker_accelerator, never both")
    if missing:
        raise UsageError.counting("with --runner dataflow", missing)
