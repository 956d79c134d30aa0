"""Finished units become immutable objects: the checkpoint of the run."""

import logging
from collections.abc import Iterator

import apache_beam as beam

from funasr_beam.model.commits import CommittedUnits
from funasr_beam.model.results import UnitResult

_log = logging.getLogger("funasr_beam.worker")


class CommitUnits(beam.PTransform[beam.PCollection[UnitResult], beam.PCollection[str]]):
    """Write every finished unit whole, in the stage that made it, and pass on its name."""

    def __init__(self, committed: CommittedUnits) -> None:
        super().__init__()
        self._committed = committed

    def expand(self, results: beam.PCollection[UnitResult]) -> beam.PCollection[str]:
        """Wire the one step."""
        return results | "Commit" >> beam.ParDo(_Commit(self._committed))


class _Commit(beam.DoFn):
    def __init__(self, committed: CommittedUnits) -> None:
        self._committed = committed

    def process(self, result: UnitResult) -> Iterator[str]:
        self._committed.commit(result)
        _log.info("Unit %s is committed", result.name)
        yield result.name
