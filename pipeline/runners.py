"""Which engine runs the pipeline, and with which options."""

import os
from typing import Any

from apache_beam.options.pipeline_options import PipelineOptions

from funasr_beam.model.errors import RunError
from funasr_beam.pipeline.config import RunnerConfig

_MOST_LOCAL_WORKERS = 8


def local_workers(config: RunnerConfig) -> int:
    """How many units are worked on at once on this machine."""
    return config.workers or min(len(os.sched_getaffinity(0)), _MOST_LOCAL_WORKERS)


def check_runner(config: RunnerConfig) -> None:
    """Refuse an engine before anything is done.

    Raises:
        RunError: the engine is not supported yet.
    """
    if config.name != "local":
        raise RunError(f"--runner {config.name} is not supported by this version; use --runner local")


def make_runner(config: RunnerConfig) -> tuple[Any, PipelineOptions]:
    """The local engine and its options."""
    from apache_beam.runners.portability.fn_api_runner import FnApiRunner

    # Never "DirectRunner": it first tries to download another engine, and has no time limit for that.
    options = PipelineOptions(
        list(config.options),
        direct_num_workers=local_workers(config),
        direct_running_mode="multi_threading",
        pipeline_type_check=True,
    )
    return FnApiRunner(), options
