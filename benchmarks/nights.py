"""Thirty nights over one output: changed files, failures that are tried again, readers that look on all the time.

python -m benchmarks.nights [--nights 30] [--recordings 10000] [--folder DIR] [--store]

Every night plans, runs and assembles as `transcribe` does, without sound and model. At the end three answers to "which
row is current" must agree row for row: `latest.sql` in DuckDB, the rule in Python, and what the simulation knows of
every recording without reading the output. Meanwhile DuckDB, pyarrow, pandas and Polars count the rows that their globs
see, again and again: only ever whole runs.
"""

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import accumulate
from pathlib import Path

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from benchmarks import simulation
from benchmarks.hardware import describe_machine
from benchmarks.simulation import PER_FOLDER, Bucket, SimulatedBucket, SimulatedRecognizer, share
from funasr_beam.model.assembly import assemble
from funasr_beam.model.commits import CommittedUnits
from funasr_beam.model.listing import list_inputs
from funasr_beam.model.plan_files import earlier_plans, next_plan
from funasr_beam.model.planning import PlanRules
from funasr_beam.model.records import RecognitionOptions
from funasr_beam.model.span_index import SpanIndex
from funasr_beam.model.storage import Folder
from funasr_beam.pipeline.current import current_rows
from funasr_beam.pipeline.done import read_done
from funasr_beam.pipeline.latest_sql import latest_sql, write_latest_sql
from funasr_beam.pipeline.plan import PlanSettings, make_plan
from funasr_beam.pipeline.run_folder import clear_leftovers, finish_run, finished_run_ids, open_run

RESULTS = Path(__file__).parent / "results" / "nights.json"
KEY = "simulated"
SETTINGS = PlanSettings(PlanRules(600.0, KEY), 1800.0, 2, 2)
Row = tuple[str, str, str, str]  # URI, fingerprint, status, run


@dataclass(frozen=True)
class Scenario:
    """How many nights, over how many recordings, and what befalls them."""

    nights: int
    recordings: int
    changed_share: float = 0.03
    failing_share: float = 0.02


@dataclass(frozen=True)
class Night:
    """What one night did."""

    run_id: str
    worked_on: int
    unchanged: int
    wall_s: float


def run_nights(scenario: Scenario, output: Folder) -> list[Night]:
    """All nights, one after another."""
    simulation.register()
    return [_one_night(scenario, number, output) for number in range(scenario.nights)]


def _one_night(scenario: Scenario, number: int, output: Folder) -> Night:
    began = time.perf_counter()
    SimulatedBucket.bucket = Bucket(scenario.recordings, scenario.changed_share, number)
    clear_leftovers(output, KEY)
    committed = CommittedUnits(output, KEY)
    listed = list_inputs(["sim://archive"], RecognitionOptions(), output.uri)
    done, index = read_done(output, "passing"), SpanIndex(committed, earlier_plans(output, KEY))
    plan = make_plan(listed, done, index, SETTINGS, next_plan(output, KEY), simulation.probe)
    run = open_run(output, KEY)
    pipeline = beam.Pipeline(runner=FnApiRunner(), options=PipelineOptions([]))
    simulation.build(pipeline, plan, SimulatedRecognizer(number, scenario.failing_share), committed)
    pipeline.run().wait_until_finish()
    index = SpanIndex(committed, earlier_plans(output, KEY))
    assemble(plan.recordings(), index, output, simulation.provenance(run.id))
    write_latest_sql(output, [*finished_run_ids(output), run.id])
    finish_run(output, run)
    clear_leftovers(output, KEY)
    return Night(run.id, plan.totals.recordings, plan.totals.unchanged, time.perf_counter() - began)


def by_sql(output: Folder) -> list[Row]:
    """The current rows as `latest.sql` finds them."""
    import duckdb

    with duckdb.connect() as connection:
        connection.execute(latest_sql(output.root))
        return sorted(connection.sql("SELECT uri, fingerprint, status, run_id FROM recordings").fetchall())


def by_python(output: Folder) -> list[Row]:
    """The current rows by the rule in Python."""
    columns = current_rows(output).select(["uri", "fingerprint", "status", "run_id"])
    return sorted(zip(*(column.to_pylist() for column in columns.columns), strict=True))


def expected_rows(scenario: Scenario, nights: list[Night]) -> list[Row]:
    """The current rows, recomputed from what befell each recording, without a look at the output."""
    return sorted(_expected_row(scenario, number, nights) for number in range(scenario.recordings))


def _expected_row(scenario: Scenario, number: int, nights: list[Night]) -> Row:
    version = Bucket(scenario.recordings, scenario.changed_share, scenario.nights - 1).version(number)
    name = f"call-{number:07d}.wav"
    tries = range(version, scenario.nights)
    good = (night for night in tries if share(name, night, "fails") >= scenario.failing_share)
    night = next(good, None)
    status, decided = ("ok", night) if night is not None else ("failed", scenario.nights - 1)
    uri = f"sim://archive/{number // PER_FOLDER:06d}/{name}"
    return uri, f"{number:x}-{version}", status, nights[decided].run_id


@contextlib.contextmanager
def concurrent_readers(output: Folder) -> Iterator[dict[str, list[int]]]:
    """Another process in which four readers count rows until the end; the counts are there afterwards."""
    seen: dict[str, list[int]] = {}
    with tempfile.TemporaryDirectory() as folder:
        stop, told = Path(folder) / "stop", Path(folder) / "told.json"
        command = [sys.executable, "-m", "benchmarks.readers", output.root, str(stop), str(told)]
        with subprocess.Popen(command) as readers:
            try:
                yield seen
            finally:
                stop.touch()
                readers.wait(timeout=120)
        seen.update(json.loads(told.read_text()))


def whole_runs(nights: list[Night]) -> set[int]:
    """The numbers of rows that a reader may see: those of the first runs, all of each."""
    return {0, *accumulate(night.worked_on for night in nights)}


def main() -> None:
    """Run the nights, compare, print, store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nights", type=int, default=30)
    parser.add_argument("--recordings", type=int, default=10_000)
    parser.add_argument("--store", action="store_true", help="write benchmarks/results/nights.json")
    arguments = parser.parse_args()
    scenario = Scenario(arguments.nights, arguments.recordings)
    with tempfile.TemporaryDirectory() as folder:
        output = Folder(folder)
        with concurrent_readers(output) as seen:
            nights = run_nights(scenario, output)
        answers = [by_sql(output), by_python(output), expected_rows(scenario, nights)]
    result = {
        "machine": describe_machine(),
        "season": asdict(scenario),
        "worked_on": [night.worked_on for night in nights],
        "night_wall_s": [round(night.wall_s, 1) for night in nights],
        "current_rows": len(answers[0]),
        "failed_rows": sum(row[2] == "failed" for row in answers[0]),
        "all_three_agree": answers[0] == answers[1] == answers[2],
        "looks": {reader: len(counts) for reader, counts in seen.items()},
        "looks_at_half_runs": sum(count not in whole_runs(nights) for counts in seen.values() for count in counts),
    }
    print(json.dumps(result, indent=2))
    if arguments.store:
        RESULTS.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
