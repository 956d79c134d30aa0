"""What engines behind a Beam job server have in common: options, and workers that a pool beside them starts."""

import socket
from typing import TYPE_CHECKING, Any

from funasr_beam.model.errors import RunError
from funasr_beam.pipeline.config import RunnerConfig

if TYPE_CHECKING:
    from apache_beam.options.pipeline_options import PipelineOptions

_CONNECT_S = 5.0
_JOB_PORT = 8099
_JOB_SERVER_ANSWER_S = 3600  # Beam's limit of a minute would also end long calls of the job service


def job_endpoint(config: RunnerConfig, host: str) -> str:
    """HOST:PORT of Beam's job server: as told, or its usual port on the cluster's host."""
    return config.job_endpoint or f"{host}:{_JOB_PORT}"


def portable_arguments(config: RunnerConfig, job: str, endpoint: str, parallelism: int) -> list[str]:
    """Beam's options for a job server: one Python process for each of the engine's own worker processes."""
    return [
        f"--job_name={job}",
        f"--job_endpoint={endpoint}",
        f"--job_server_timeout={_JOB_SERVER_ANSWER_S}",
        # Beam's default wants Docker on every worker.
        "--environment_type=EXTERNAL",
        f"--environment_config={config.worker_pool}",
        "--sdk_worker_parallelism=1",
        f"--parallelism={parallelism}",
        # It would run `pip freeze` at every submission.
        "--experiments=disable_logging_submission_environment",
        *config.options,
    ]


def portable_runner(arguments: list[str]) -> tuple[Any, "PipelineOptions"]:
    """The runner that hands the pipeline to a job server."""
    from apache_beam.options.pipeline_options import PipelineOptions
    from apache_beam.runners.portability.portable_runner import PortableRunner

    return PortableRunner(), PipelineOptions(arguments, pipeline_type_check=True)


def check_listening(address: str, what: str, remedy: str) -> None:
    """Find out within seconds whether anybody listens at HOST:PORT.

    Raises:
        RunError: nobody does; names what was expected there, and what to do.
    """
    host, port = split_address(address)
    try:
        socket.create_connection((host, port), timeout=_CONNECT_S).close()
    except OSError as error:
        raise RunError(f"{what} does not answer at {address} ({error}); {remedy}") from error


def split_address(address: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT`, which the configuration has checked."""
    host, _, port = address.rpartition(":")
    return host, int(port)
