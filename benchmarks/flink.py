"""Throughput of one and of two TaskManagers on this machine, and what Flink costs over the local runner.

    make flink-parts; python -m benchmarks.flink [--minutes 36] [--store]

The same recordings with the demo checkpoint four times: local runner with one and two workers, Flink with one and two
TaskManagers of one slot. `whole command` is what a user waits for; `stage` is from the first unit begun to the last
one committed. The cluster is up before the clock starts, as it is for every job but the first.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from benchmarks.hardware import describe_machine
from infra.flink.fetch_parts import VERSIONS
from infra.flink.local_cluster import Cluster, Ports

ROOT = Path(__file__).parents[1]
RESULT = Path(__file__).parent / "results" / "flink.json"
SAMPLE = ROOT / "samples/long/en-12-minutes.mp3"
SAMPLE_MINUTES = 12
SETTINGS = ["--model", "demo", "--set", "plan.unit_s=120", "--set", "plan.span_s=120"]
_UNIT = re.compile(r"^(\S+ \S+?)(?:,\d+)? INFO .*Unit \w+ (?:begins|is committed$)", re.MULTILINE)


@dataclass(frozen=True)
class Timing:
    """One way to run."""

    engine: str
    at_once: int
    command_s: float
    stage_s: float
    audio_hours: float
    load_before: float  # of the machine, over the last minute: what else it had to do

    @property
    def rtfx(self) -> float:
        """Audio time over the time of the whole command."""
        return self.audio_hours * 3600 / self.command_s


def main() -> int:
    """Run all four, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, default=36, help="audio to transcribe, in steps of 12 minutes")
    parser.add_argument("--store", action="store_true", help="keep the result")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "in").mkdir()
        for place in range(max(1, arguments.minutes // SAMPLE_MINUTES)):
            shutil.copy2(SAMPLE, folder / "in" / f"{place}.mp3")
        timings = list(measure(folder))
    print(table(timings))
    if arguments.store:
        versions = {name: VERSIONS[name]["version"] for name in ("flink", "job_server", "java")}
        content = {"machine": describe_machine(), "versions": versions, "timings": [asdict(one) for one in timings]}
        RESULT.write_text(json.dumps({**content, "summary": summary(timings)}, indent=2) + "\n", encoding="utf-8")
    return 0


def measure(folder: Path) -> Iterator[Timing]:
    """Every way once; each writes to an output of its own."""
    for workers in (1, 2):
        yield run(folder, "local runner", workers, ["--workers", str(workers)])
    for task_managers in (1, 2):
        cluster = Cluster(folder / f"cluster-{task_managers}", Ports.free())
        cluster.folder.mkdir()
        cluster.up(task_managers)
        try:
            time.sleep(20)  # the pool imports its libraries while nobody waits
            yield run(folder, "Flink", task_managers, cluster.options, cluster)
        finally:
            cluster.down()


def run(folder: Path, engine: str, at_once: int, options: list[str], cluster: Cluster | None = None) -> Timing:
    """Run the command once."""
    output, load = folder / f"out-{engine}-{at_once}".replace(" ", "-"), os.getloadavg()[0]
    command = [sys.executable, "-m", "funasr_beam.pipeline", "-v", "transcribe", str(folder / "in")]
    began = time.monotonic()
    done = subprocess.run(
        [*command, "--output", str(output), *SETTINGS, *options], check=True, capture_output=True, text=True
    )
    command_s = time.monotonic() - began
    logs = sorted((cluster.folder / "logs").glob("worker-[0-9]*.log")) if cluster else []
    text = done.stderr + "".join(path.read_text(encoding="utf-8") for path in logs)
    moments = [datetime.fromisoformat(moment) for moment in _UNIT.findall(text)]
    (metrics,) = output.glob("runs/*/metrics.json")
    hours = json.loads(metrics.read_text(encoding="utf-8"))["audio_hours"]
    return Timing(engine, at_once, command_s, (max(moments) - min(moments)).total_seconds(), hours, load)


def summary(timings: list[Timing]) -> dict[str, float]:
    """What the four say together."""
    at = {(one.engine, one.at_once): one for one in timings}
    return {
        "speedup_of_two_task_managers": at["Flink", 1].stage_s / at["Flink", 2].stage_s,
        "speedup_of_two_local_workers": at["local runner", 1].stage_s / at["local runner", 2].stage_s,
        "flink_overhead_s": at["Flink", 2].command_s - at["local runner", 2].command_s,
    }


def table(timings: list[Timing]) -> str:
    """The timings as a Markdown table."""
    lines = ["| engine | units at once | whole command | stage | x realtime |", "| --- | --- | --- | --- | --- |"]
    for one in timings:
        lines.append(f"| {one.engine} | {one.at_once} | {one.command_s:.0f} s | {one.stage_s:.0f} s | {one.rtfx:.1f} |")
    return "\n".join([*lines, *(f"{name}: {value:.2f}" for name, value in summary(timings).items())])


if __name__ == "__main__":
    raise SystemExit(main())
