"""A week of nights over one output: what is current, what readers see meanwhile, and what the tables say of tries."""

from collections import Counter

import pyarrow.parquet as pq
import pytest

from benchmarks.nights import (
    Scenario,
    by_python,
    by_sql,
    concurrent_readers,
    expected_rows,
    run_nights,
    whole_runs,
)
from funasr_beam.model.storage import Folder
from funasr_beam.pipeline.compaction import compact

pytestmark = pytest.mark.slow
SEASON = Scenario(nights=7, recordings=1000, changed_share=0.05, failing_share=0.1)


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    return Folder(str(tmp_path_factory.mktemp("nights")))


@pytest.fixture(scope="module")
def looks(output):
    """Seven nights, and what readers saw of them."""
    with concurrent_readers(output) as seen:
        nights = run_nights(SEASON, output)
    return nights, seen


def test_sql_python_and_a_recomputation_from_nothing_agree_row_for_row(output, looks):
    expected = expected_rows(SEASON, looks[0])
    assert by_sql(output) == expected
    assert by_python(output) == expected


def test_a_night_works_on_what_changed_or_failed_and_on_nothing_else(looks):
    first, *others = looks[0]
    assert (first.worked_on, first.unchanged) == (SEASON.recordings, 0)
    for night in others:
        assert night.worked_on + night.unchanged == SEASON.recordings
        assert 0.02 * SEASON.recordings < night.worked_on < 0.3 * SEASON.recordings


def test_readers_that_know_nothing_of_runs_see_whole_runs_only(looks):
    nights, seen = looks
    assert set(seen) == {"duckdb", "pyarrow", "pandas", "polars"}
    for counts in seen.values():
        assert len(set(counts)) > 1, "the readers saw no run appear"
        assert set(counts) <= whole_runs(nights)


def test_tries_are_counted_over_the_nights(output, looks):
    rows = pq.read_table(f"{output.root}/recordings").to_pylist()
    tries = Counter((row["uri"], row["fingerprint"]) for row in rows)
    assert max(tries.values()) > 1
    for row in rows:
        assert 1 <= row["attempts"] <= tries[row["uri"], row["fingerprint"]]
    assert {row["attempts"] for row in rows} == set(range(1, max(tries.values()) + 1))


def test_compacted_it_says_the_same(output, looks):
    before = by_python(output)
    compact(output)
    assert by_python(output) == by_sql(output) == before
    assert pq.read_table(f"{output.root}/recordings").num_rows == SEASON.recordings
