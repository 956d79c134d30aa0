"""Workers elsewhere must have the same program and the same model as the command that sent the work."""

import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass

import apache_beam as beam

from funasr_beam.model.errors import RunError
from funasr_beam.model.recognizers.families import describe_model
from funasr_beam.model.records import Unit
from funasr_beam.model.version import __version__

_log = logging.getLogger("funasr_beam.worker")


@dataclass(frozen=True)
class Expected:
    """What rows will say about the program and the model, so what every worker must have."""

    model: str  # as the user named it
    identity: str  # of the checkpoint: see `CheckpointInfo.identity`
    version: str = __version__  # of whoever submits; a frozen value on its way to the workers


class CheckWorker(beam.PTransform[beam.PCollection[Unit], beam.PCollection[Unit]]):
    """Let units pass, in workers that have what is expected."""

    def __init__(self, expected: Expected) -> None:
        super().__init__()
        self._expected = expected

    def expand(self, units: beam.PCollection[Unit]) -> beam.PCollection[Unit]:
        """Wire the one step."""
        return units | "Check" >> beam.ParDo(_Check(self._expected))


class _Check(beam.DoFn):
    def __init__(self, expected: Expected) -> None:
        self._expected = expected

    def setup(self) -> None:
        _check_version(self._expected.version)
        _check_model(self._expected)
        _log.info("Worker %d has %s and funasr-beam %s", os.getpid(), self._expected.model, __version__)

    def process(self, unit: Unit) -> Iterator[Unit]:
        yield unit


def _check_version(expected: str) -> None:
    if expected != __version__:
        raise RunError(
            f"a worker has funasr-beam {__version__} and this command is {expected}: "
            "install the same version for the worker pool and for the command"
        )


def _check_model(expected: Expected) -> None:
    identity = describe_model(expected.model).identity
    if identity != expected.identity:
        raise RunError(
            f'the model "{expected.model}" is another one on a worker (checksum {identity[:12]}) than here '
            f"({expected.identity[:12]}): give every machine the same checkpoint"
        )
