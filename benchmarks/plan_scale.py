"""How planning, committing and assembling grow with the number of recordings: no audio, and a recogniser that is none.

python -m benchmarks.plan_scale [--counts 10000,100000] [--folder DIR] [--store]

The bucket is simulated, the output is a local disk behind the interface of an object store (uploads, copies, no
renames), and both count requests. Each stage is a process of its own, for its time and its peak memory. What has been
measured stays in the folder: started again, it goes on with the stage that it had not finished.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from benchmarks import simulation
from benchmarks.hardware import describe_machine, peak_mb
from benchmarks.simulation import Bucket, CountedStore, SimulatedBucket, SimulatedRecognizer
from funasr_beam.model.assembly import assemble
from funasr_beam.model.commits import CommittedUnits
from funasr_beam.model.listing import list_inputs
from funasr_beam.model.plan_files import earlier_plans, next_plan
from funasr_beam.model.planning import PlanRules
from funasr_beam.model.records import RecognitionOptions
from funasr_beam.model.span_index import SpanIndex
from funasr_beam.model.storage import Folder
from funasr_beam.pipeline.config import MetricsConfig
from funasr_beam.pipeline.current import current_rows
from funasr_beam.pipeline.done import read_done
from funasr_beam.pipeline.latest_sql import write_latest_sql
from funasr_beam.pipeline.metrics import RunFacts, write_metrics
from funasr_beam.pipeline.plan import Plan, PlanSettings, make_plan
from funasr_beam.pipeline.regressions import read_regressions
from funasr_beam.pipeline.run_folder import clear_leftovers, finish_run, finished_run_ids, list_runs, open_run

RESULTS = Path(__file__).parent / "results" / "plan_scale.json"
KEY = "simulated"
RULES = PlanRules(600.0, KEY, 512 * 2**10)
UNIT_S, WORKERS = 1800.0, 2


def list_bucket(output: Folder) -> int:
    """The listing alone."""
    return sum(1 for _ in list_inputs(["sim://archive"], RecognitionOptions(), output.uri))


def plan(output: Folder) -> int:
    """Listing, anti-join, probing, packing; everything written."""
    clear_leftovers(output, KEY)
    made = plan_again(output)
    open_run(output, KEY)
    return made.totals.recordings


def plan_again(output: Folder) -> Plan:
    """What a run over this bucket has to do."""
    committed = CommittedUnits(output, KEY)
    index = SpanIndex(committed, earlier_plans(output, KEY))
    listed = list_inputs(["sim://archive"], RecognitionOptions(), output.uri)
    settings = PlanSettings(RULES, UNIT_S, WORKERS, WORKERS)
    return make_plan(listed, read_done(output, "passing"), index, settings, next_plan(output, KEY), simulation.probe)


def transcribe(output: Folder) -> int:
    """The Beam graph on the local engine: read units, hear nothing, commit."""
    last = earlier_plans(output, KEY)[-1]
    options = PipelineOptions([], direct_num_workers=WORKERS, direct_running_mode="multi_threading")
    pipeline = beam.Pipeline(runner=FnApiRunner(), options=options)
    simulation.build(pipeline, Plan(last, last.totals), SimulatedRecognizer(), CommittedUnits(output, KEY))
    pipeline.run().wait_until_finish()
    return last.totals.units


def make_tables(output: Folder) -> int:
    """Stitching, judging, writing and publishing."""
    plans = earlier_plans(output, KEY)
    index = SpanIndex(CommittedUnits(output, KEY), plans)
    made = Plan(plans[-1], plans[-1].totals)
    assemble(made.recordings(), index, output, simulation.provenance(list_runs(output)[-1].id))
    return made.totals.recordings


def finish(output: Folder) -> int:
    """Guard, metrics, SQL, `_SUCCESS`, clearing up."""
    run = list_runs(output)[-1]
    write_metrics(output, run, MetricsConfig(), RunFacts(1.0, 0, read_regressions(output, run.id)))
    write_latest_sql(output, [*finished_run_ids(output), run.id])
    finish_run(output, run)
    clear_leftovers(output, KEY)
    return 0


def plan_unchanged(output: Folder) -> int:
    """The plan of the next night, when nothing has changed: listing and anti-join."""
    return plan_again(output).totals.unchanged


def find_current(output: Folder) -> int:
    """The rule of the current row over everything."""
    return int(current_rows(output).num_rows)


STAGES: dict[str, Callable[[Folder], int]] = {
    "list": list_bucket,
    "plan": plan,
    "transcribe": transcribe,
    "assemble": make_tables,
    "finish": finish,
    "plan unchanged": plan_unchanged,
    "current rows": find_current,
}


def measure(stage: str, count: int, folder: Path) -> dict[str, object]:
    """One stage in this process: seconds, peak memory, requests."""
    simulation.register()
    SimulatedBucket.bucket = Bucket(count)
    output = Folder(f"counted://{folder}/out")
    began, cpu = time.perf_counter(), time.process_time()
    before = os.getloadavg()[0]
    done = STAGES[stage](output)
    load = (before, os.getloadavg()[0])
    return {
        "done": done,
        "wall_s": round(time.perf_counter() - began, 2),
        "cpu_s": round(time.process_time() - cpu, 2),
        "peak_mb": peak_mb(),
        "load_average": round(sum(load) / 2, 1),
        "input_requests": dict(SimulatedBucket.requests),
        "output_requests": dict(sorted(CountedStore.requests.items())),
        "objects": sum(1 for path in (folder / "out").rglob("*") if path.is_file()),
    }


def measure_all(count: int, folder: Path, most: int) -> dict[str, dict[str, object]]:
    """Every stage in a process of its own; stages that were measured before are not measured again."""
    saved = folder / "measured.json"
    measured = json.loads(saved.read_text()) if saved.exists() else {}
    for stage in [stage for stage in STAGES if stage not in measured][:most]:
        command = [sys.executable, "-m", "benchmarks.plan_scale", "--stage", stage, "--counts", str(count)]
        done = subprocess.run([*command, "--folder", str(folder)], check=True, stdout=subprocess.PIPE, text=True)
        measured[stage] = json.loads(done.stdout.splitlines()[-1])
        saved.write_text(json.dumps(measured))
        print_row(count, stage, measured[stage])
    return measured


def print_row(count: int, stage: str, found: dict[str, object]) -> None:
    """One line of the table."""
    requests = " ".join(f"{kind} {number:,}" for kind, number in found["output_requests"].items())  # type: ignore[attr-defined]
    size = f"{found['wall_s']:>9} s {found['cpu_s']:>8} s CPU {found['peak_mb']:>6} MB {found['objects']:>8} objects"
    print(f"{count:>9,} {stage:<15}{size}  {requests}", flush=True)


def main() -> None:
    """Measure, print, store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", default="10000", help="numbers of recordings (10000)")
    parser.add_argument("--folder", type=Path, default=Path("/tmp/plan_scale"), help="where to work and to keep state")
    parser.add_argument("--store", action="store_true", help="write benchmarks/results/plan_scale.json")
    parser.add_argument("--most", type=int, default=len(STAGES), help="stages to measure in this call (all)")
    parser.add_argument("--stage", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    counts = [int(count) for count in arguments.counts.split(",")]
    if arguments.stage:
        print(json.dumps(measure(arguments.stage, counts[0], arguments.folder)))
        return
    measured = {}
    for count in counts:
        folder = arguments.folder / str(count)
        folder.mkdir(parents=True, exist_ok=True)
        measured[str(count)] = measure_all(count, folder, arguments.most)
        if len(measured[str(count)]) == len(STAGES):
            shutil.rmtree(folder / "out", ignore_errors=True)
    if arguments.store:
        RESULTS.write_text(json.dumps({"machine": describe_machine(), "stages": measured}, indent=2) + "\n")


if __name__ == "__main__":
    main()
