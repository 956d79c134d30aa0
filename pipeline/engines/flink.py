"""A Flink cluster, through Beam's job server."""

import logging
import time
from typing import TYPE_CHECKING, Any

from funasr_beam.model.errors import RunError
from funasr_beam.pipeline.config import RunnerConfig
from funasr_beam.pipeline.engines.flink_master import FlinkMaster
from funasr_beam.pipeline.engines.portable import (
    check_listening,
    job_endpoint,
    portable_arguments,
    portable_runner,
    split_address,
)

if TYPE_CHECKING:
    from apache_beam.options.pipeline_options import PipelineOptions

_CANCEL_S = 60.0
_INTERRUPT_S = 20.0  # somebody waits at the terminal; a second Ctrl-C ends it at once
_NO_SERVER = "`make flink-up` starts one, runner.job_endpoint names another; see docs/clusters.md"
_log = logging.getLogger("funasr_beam")


class FlinkEngine:
    """Works on units in the TaskManagers of a cluster, one Python process and one model in each."""

    accelerator: str | None = None
    has_gpus = False
    loads_model_here = False

    def __init__(self, config: RunnerConfig) -> None:
        if config.flink_master is None:
            raise RunError("--runner flink needs --flink-master HOST:PORT")
        self._config = config
        self._master = FlinkMaster(config.flink_master)
        self._endpoint = job_endpoint(config, split_address(config.flink_master)[0])
        self.units_at_once = config.workers or self._master.slots()

    def end_leftover(self, job: str) -> None:
        """Cancel a job that a killed command left on the cluster, and wait until it is over."""
        for left in self._master.unfinished_jobs(job):
            _log.info("Cancelling Flink job %s, which an interrupted command left on the cluster", left)
            self._master.cancel(left)
        if not self._is_over(job, _CANCEL_S):
            raise RunError(f"an earlier job {job} on {self._master.address} does not end; cancel it there")

    def make_runner(self, job: str) -> tuple[Any, "PipelineOptions"]:
        """The runner that hands jobs to the job server."""
        check_listening(self._endpoint, "Beam's job server", _NO_SERVER)
        return portable_runner(portable_arguments(self._config, job, self._endpoint, self.units_at_once))

    def cancel(self, job: str) -> str | None:
        """Cancel the job on the cluster, and wait a little until it is over."""
        cancelled = self._master.unfinished_jobs(job)
        for job_id in cancelled:
            self._master.cancel(job_id)
        if not cancelled:
            return None
        done = "cancelled" if self._is_over(job, _INTERRUPT_S) else "asked for the end of"
        return f"{done} Flink job {', '.join(cancelled)} on {self._master.address}"

    def where_to_look(self, job: str) -> str | None:
        """The page of the job's exceptions."""
        job_id = self._master.newest_job(job)
        return self._master.page(job_id) if job_id else None

    def _is_over(self, job: str, within_s: float) -> bool:
        deadline = time.monotonic() + within_s
        while self._master.unfinished_jobs(job):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.2)
        return True
