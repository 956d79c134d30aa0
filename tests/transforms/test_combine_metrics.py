"""Metrics counted by Beam are those counted in one pass."""

import apache_beam as beam
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that

from funasr_beam.pipeline.metrics import measure_output
from funasr_beam.pipeline.run_folder import parts
from funasr_beam.transforms.combine_metrics import MeasureTables, TablePart
from tests.pipeline.outputs import add_run
from tests.pipeline.test_metrics import random_rows


def test_workers_count_what_one_pass_counts(tmp_path):
    output = add_run(tmp_path, "20260101T000000Z-aaaaaa", *random_rows(60, seed=1))
    add_run(tmp_path, "20260102T000000Z-bbbbbb", [])
    expected = measure_output(output, run_id="20260101T000000Z-aaaaaa").everything
    found = [
        TablePart(table, name)
        for table in ("recordings", "segments")
        for run in ("20260101T000000Z-aaaaaa", "20260102T000000Z-bbbbbb")
        for name in parts(output, table, run)
    ]

    def check(counted):
        (metrics,) = counted
        assert metrics == expected

    with TestPipeline() as pipeline:
        assert_that(pipeline | beam.Create(found) | MeasureTables(output), check)
