"""Metrics of published tables on any number of workers: batches of rows go in, one `DatasetMetrics` comes out."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import apache_beam as beam
import pyarrow as pa
import pyarrow.compute as pc

from funasr_beam.model.metrics.dataset import RECORDING_COLUMNS, SEGMENT_COLUMNS, DatasetMetrics
from funasr_beam.model.storage import Folder
from funasr_beam.model.stored_files import open_parquet
from funasr_beam.model.tables import TABLES

_BATCH_ROWS = 32_768


@dataclass(frozen=True)
class TablePart:
    """One published file of a table, by its name inside the output."""

    table: str  # "recordings" or "segments"
    name: str


class MeasureTables(beam.PTransform[beam.PCollection[TablePart], beam.PCollection[DatasetMetrics]]):
    """Count the rows of all parts; each worker adds up what it reads, and only sums cross a shuffle."""

    def __init__(self, output: Folder) -> None:
        super().__init__()
        self._output = output

    def expand(self, parts: beam.PCollection[TablePart]) -> beam.PCollection[DatasetMetrics]:
        """Wire reading, counting and merging."""
        counted = parts | "Count" >> beam.ParDo(_CountPart(self._output))
        return counted | "Merge" >> beam.CombineGlobally(MergeMetrics())


class MergeMetrics(beam.CombineFn):
    """Metrics of disjoint rows become the metrics of all of them, exactly."""

    def create_accumulator(self) -> DatasetMetrics:
        """Metrics of nothing."""
        return DatasetMetrics()

    def add_input(self, accumulator: DatasetMetrics, element: DatasetMetrics) -> DatasetMetrics:
        """Merge one more."""
        accumulator.merge(element)
        return accumulator

    def merge_accumulators(self, accumulators: Iterable[DatasetMetrics]) -> DatasetMetrics:
        """Merge all."""
        merged = DatasetMetrics()
        for accumulator in accumulators:
            merged.merge(accumulator)
        return merged

    def extract_output(self, accumulator: DatasetMetrics) -> DatasetMetrics:
        """The metrics."""
        return accumulator


class _CountPart(beam.DoFn):
    def __init__(self, output: Folder) -> None:
        self._output = output

    def process(self, part: TablePart) -> Iterator[DatasetMetrics]:
        metrics = DatasetMetrics()
        with open_parquet(self._output, part.name) as file:
            none = TABLES[part.table].empty_table()  # supplies the columns that an earlier version did not write
            for batch in file.iter_batches(_BATCH_ROWS, columns=_columns(part.table)):
                rows = pa.concat_tables([none, pa.Table.from_batches([batch])], promote_options="default")
                if part.table == "recordings":
                    metrics.add_recordings(rows)
                else:
                    words = pc.fill_null(pc.list_value_length(rows["words"]), 0)
                    metrics.add_segments(rows.append_column("num_words", words))
        yield metrics


def _columns(table: str) -> list[str]:
    wanted = RECORDING_COLUMNS if table == "recordings" else (*SEGMENT_COLUMNS, "words")
    return [name for name in TABLES[table].names if name in wanted]
