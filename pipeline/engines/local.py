"""The embedded engine: threads of this process."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from funasr_beam.pipeline.config import RunnerConfig

if TYPE_CHECKING:
    from apache_beam.options.pipeline_options import PipelineOptions

_MOST_WORKERS = 8  # for each GPU: beyond, they wait for it and only hold memory


class LocalEngine:
    """Works on units in threads of this process."""

    accelerator: str | None = None
    loads_model_here = True

    def __init__(self, config: RunnerConfig) -> None:
        gpus = count_gpus()
        self.has_gpus = gpus > 0
        self.units_at_once = config.workers or min(len(os.sched_getaffinity(0)), _MOST_WORKERS * max(1, gpus))
        self._options = config.options

    def end_leftover(self, job: str) -> None:
        """The threads of a killed command ended with it."""

    def make_runner(self, job: str) -> tuple[Any, "PipelineOptions"]:
        """Beam's FnApiRunner."""
        from apache_beam.options.pipeline_options import PipelineOptions
        from apache_beam.runners.portability.fn_api_runner import FnApiRunner

        # Never "DirectRunner": it first tries to download another engine, and has no time limit for that.
        options = PipelineOptions(
            list(self._options),
            direct_num_workers=self.units_at_once,
            direct_running_mode="multi_threading",
            pipeline_type_check=True,
        )
        return FnApiRunner(), options

    def cancel(self, job: str) -> None:
        """The process ends, and its threads with it."""

    def where_to_look(self, job: str) -> None:
        """The log of this process says it all."""


def count_gpus(devices: Path = Path("/dev")) -> int:
    """GPUs that this process may use, as the driver shows them: importing torch to ask it takes seconds."""
    nodes = sum(path.name.removeprefix("nvidia").isdigit() for path in devices.glob("nvidia*"))
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return nodes if visible is None else min(nodes, len([name for name in visible.split(",") if name.strip()]))
