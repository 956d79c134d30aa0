"""The units of a plan, read where they are worked on; the graph and the shuffle carry only their places."""

from collections.abc import Iterator, Sequence
from typing import Any

import apache_beam as beam

from funasr_beam.model.access import AccessUris
from funasr_beam.model.plan_files import UnitPlace, read_unit, unit_places
from funasr_beam.model.records import Unit
from funasr_beam.model.storage import Folder


class PlannedUnits(beam.PTransform[Any, beam.PCollection[Unit]]):
    """All units of these files of a plan, spread over the workers."""

    def __init__(self, output: Folder, files: Sequence[str], access: AccessUris) -> None:
        super().__init__()
        self._output = output
        self._files = tuple(files)
        self._access = access

    def expand(self, pipeline: Any) -> beam.PCollection[Unit]:
        """Wire file names, places, the one shuffle, and the reading behind it."""
        return (
            pipeline
            | "Files" >> beam.Create(self._files, reshuffle=False)
            | "Places" >> beam.ParDo(_Places(self._output))
            | "Spread" >> beam.Reshuffle()
            | "Read" >> beam.ParDo(_Read(self._output, self._access))
        )


class _Places(beam.DoFn):
    def __init__(self, output: Folder) -> None:
        self._output = output

    def process(self, file: str) -> Iterator[UnitPlace]:
        yield from unit_places(self._output, file)


class _Read(beam.DoFn):
    def __init__(self, output: Folder, access: AccessUris) -> None:
        self._output = output
        self._access = access

    def process(self, place: UnitPlace) -> Iterator[Unit]:
        yield self._access.restore(read_unit(self._output, place))
