"""Runs with faults, each compared with an undisturbed one: killed with -9, and on an S3 server that has bad days.

python -m benchmarks.faults [--kills 50] [--s3 50] [--share 0.05] [--minutes 9]

Each seed is a trial of its own; those that are in the result file already are not done again, so that a long series can
be made in stretches of `--minutes`. Needs the packages of `pip install "funasr-beam[test]"`.
"""

import argparse
import contextlib
import json
import os
import random
import re
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.hardware import describe_machine
from funasr_beam.model.storage import Folder
from tests.faults.processes import Command, call
from tests.faults.proxy import Faults, proxy_to
from tests.s3_server import S3Server, serve_s3

RESULT = Path(__file__).parent / "results" / "faults.json"
SAMPLES = Path(__file__).parent.parent / "samples"
RECORDINGS = ("en-phone.wav", "en-quiet.opus", "zh-phone.wav", "zh-stereo.opus", "zh.m4a", "truncated.m4a", "text.wav")
COPIES = 1
WORKERS = 2
UNIT_S = 10


@dataclass
class Trial:
    """What one disturbed run came to."""

    seed: int
    killed_in: str | None = None  # the phase; None: not killed, or over before
    runs: int = 1  # of the same command until it was done
    equal: bool = False
    lost_units: int = 0  # begun but not committed when the run was killed
    redone_units: int = 0  # committed, and done again all the same
    faults: dict[str, int] = field(default_factory=dict)
    wall_s: float = 0.0


@dataclass(frozen=True)
class Place:
    """Where a series works."""

    inputs: str
    undisturbed: str
    lasts_s: float
    folder: Path
    output: Callable[[int], str]
    environment: dict[str, str] = field(default_factory=dict)  # past the proxy


def main() -> int:
    """Make what is missing of both series, and print a table row each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50, help="local runs killed with -9")
    parser.add_argument("--s3", type=int, default=50, help="runs on S3 with faults; every second one is killed, too")
    parser.add_argument("--share", type=float, default=0.05, help="of the requests, for each kind of fault")
    parser.add_argument("--minutes", type=float, default=1e9, help="begin no trial after this time")
    parser.add_argument("--state", type=Path, default=RESULT, help="result file to go on with")
    arguments = parser.parse_args()
    over = time.monotonic() + arguments.minutes * 60
    series = json.loads(arguments.state.read_text()) if arguments.state.exists() else {}
    for name, count, place, width in (
        ("kill -9, local", arguments.kills, local, 1),
        ("S3 with faults", arguments.s3, bucket, 6),  # most of the time is waiting between tries
    ):
        trials = series.setdefault(name, [])
        missing = sorted(set(range(count)) - {trial["seed"] for trial in trials})
        if missing and time.monotonic() < over:
            with place(arguments.share) as run_trial, ThreadPoolExecutor(width) as pool:
                for trial in pool.map(lambda seed: run_trial(seed) if time.monotonic() < over else None, missing):
                    trials += [asdict(trial)] if trial else []
                    series |= {"machine": describe_machine(), "share_of_each_fault": arguments.share}
                    arguments.state.write_text(json.dumps(series, indent=1) + "\n", encoding="utf-8")
        print(row(name, trials))
    return 0


def row(name: str, trials: list[dict[str, Any]]) -> str:
    """A line of the table."""
    equal = sum(trial["equal"] for trial in trials)
    kills = sum(trial["killed_in"] is not None for trial in trials)
    lost = max((trial["lost_units"] for trial in trials), default=0)
    redone = sum(trial["redone_units"] for trial in trials)
    faults = Counter[str]()
    for trial in trials:
        faults.update({kind: count for kind, count in trial["faults"].items() if kind != "none"})
    return (
        f"| {name} | equal {equal} of {len(trials)} | {kills} killed at work | at most {lost} units begun and lost on "
        f"{WORKERS} workers, {redone} committed ones done again | {sum(faults.values())} faults {dict(faults)} |"
    )


@contextlib.contextmanager
def local(share: float) -> Iterator[Callable[[int], Trial]]:
    """Trials on the disk."""
    del share
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for copy in range(COPIES):
            (folder / "in" / str(copy)).mkdir(parents=True)
            for recording in RECORDINGS:
                shutil.copy2(sample(recording), folder / "in" / str(copy) / recording)
        place = Place(str(folder / "in"), str(folder / "undisturbed"), 0, folder, lambda seed: str(folder / f"{seed}"))
        place = Place(**{**vars(place), "lasts_s": undisturbed(place)})
        yield lambda seed: killed_trial(seed, place, place.environment)


@contextlib.contextmanager
def bucket(share: float) -> Iterator[Callable[[int], Trial]]:
    """Trials in a bucket whose server has faults; every second run is killed, too."""
    with tempfile.TemporaryDirectory() as name, serve_s3() as server:
        base = server.fresh("series")
        for copy in range(COPIES):
            for recording in RECORDINGS:
                server.file_system().put_file(str(sample(recording)), f"{base}/in/{copy}/{recording}")
        os.environ.update(server.environment)  # this process looks past the faults
        place = Place(
            f"{base}/in", f"{base}/undisturbed", 0, Path(name), lambda seed: f"{base}/{seed}", server.environment
        )
        undisturbed(place)
        place = Place(**{**vars(place), "lasts_s": faulty_seconds(place, server, share)})
        yield lambda seed: faulty_trial(seed, place, server, share)


def sample(name: str) -> Path:
    """A recording of samples/ by its name."""
    return next(SAMPLES.rglob(name))


def transcribe(place: Place, output: str) -> list[str]:
    """The arguments of a run."""
    settings = ["--set", f"plan.unit_s={UNIT_S}", "--workers", str(WORKERS), "--max-failed", "100%"]
    return ["-v", "transcribe", place.inputs, "--output", output, "--model", "demo", *settings]


def undisturbed(place: Place) -> float:
    """Make the output to compare with; seconds that it took."""
    call(["--version"], place.folder / "warm-up.log")
    began = time.monotonic()
    code, text = call(transcribe(place, place.undisturbed), place.folder / "undisturbed.log", place.environment)
    if code != 0:
        raise SystemExit(f"the undisturbed run ended with {code}:\n{text}")
    return time.monotonic() - began


def faulty_seconds(place: Place, server: S3Server, share: float) -> float:
    """How long a run with faults lasts that is not killed, so that kills fall into all of its phases."""
    with proxy_to(server.endpoint, Faults.of_each_kind(share, seed=-1)) as proxy:
        return plain_trial(-1, place, server.through(proxy.endpoint).environment).wall_s


def faulty_trial(seed: int, place: Place, server: S3Server, share: float) -> Trial:
    """A run through a proxy with faults."""
    with proxy_to(server.endpoint, Faults.of_each_kind(share, seed)) as proxy:
        environment = server.through(proxy.endpoint).environment
        trial = killed_trial(seed, place, environment) if seed % 2 else plain_trial(seed, place, environment)
    trial.faults = dict(proxy.done)
    return trial


def plain_trial(seed: int, place: Place, environment: dict[str, str]) -> Trial:
    """The same command until it is done, and the comparison."""
    trial, began = Trial(seed), time.monotonic()
    finish(trial, place, environment, 0)
    trial.wall_s = round(time.monotonic() - began, 1)
    return trial


def killed_trial(seed: int, place: Place, environment: dict[str, str]) -> Trial:
    """A run that is killed at a moment that the seed decides, then the same as `plain_trial`."""
    trial, began, output = Trial(seed), time.monotonic(), place.output(seed)
    after_s = random.Random(seed).uniform(0.05, 1.0) * place.lasts_s
    while not killed_after(after_s, first := Command(transcribe(place, output), log_of(seed, 0, place), environment)):
        after_s /= 2  # it was over before
        Folder(output).remove("")
        log_of(seed, 0, place).unlink()
    trial.killed_in = phase(first.text)
    committed = committed_units(output)
    begun = set(re.findall(r"Unit (\w+) begins", first.text))
    if committed is not None:  # otherwise it had published everything and put its units away
        trial.lost_units = len(begun - committed)
    finish(trial, place, environment, 1, committed or set())
    trial.wall_s = round(time.monotonic() - began, 1)
    return trial


def killed_after(seconds: float, command: Command) -> bool:
    """Whether a command was at work for so long and then killed."""
    until = time.monotonic() + seconds
    while command.is_running and time.monotonic() < until:
        time.sleep(0.01)
    if command.is_running:
        command.kill()
        return True
    return False


def log_of(seed: int, number: int, place: Place) -> Path:
    """Where the n-th run of a trial prints to."""
    return place.folder / f"{seed}-{number}.log"


def finish(
    trial: Trial,
    place: Place,
    environment: dict[str, str],
    runs: int,
    committed: set[str] = frozenset(),  # type: ignore[assignment]
) -> None:
    """Give the same command until it is done; compare, and clear away what is equal."""
    output = place.output(trial.seed)
    for number in range(runs, runs + 5):
        code, text = call(transcribe(place, output), log_of(trial.seed, number, place), environment)
        trial.redone_units += len(committed & set(re.findall(r"Unit (\w+) begins", text)))
        trial.runs = number + 1
        if code == 0:
            break
        print(f"seed {trial.seed}: exit code {code}: {text[-500:]}")
    code, text = call(
        ["compare", place.undisturbed, output], place.folder / f"{trial.seed}-compare.log", place.environment
    )
    trial.equal = code == 0
    if not trial.equal:
        print(f"seed {trial.seed}: {text[-2000:]}")


def phase(text: str) -> str:
    """What a run was doing last."""
    known = re.findall(r"(Planning|Loading the model|Transcribing|Assembling tables|Run \w+)", text)
    return str(known[-1]).partition(" ")[0] if known else "start"


def committed_units(output: str) -> set[str] | None:
    """Names of the committed units; None where the run is finished."""
    folder = Folder(output)
    runs = [name for name in folder.names("runs") if folder.exists(f"runs/{name}/_SUCCESS")]
    if runs:
        return None
    hashes = folder.names("_work/units")
    return {name.removesuffix(".parquet") for each in hashes for name in folder.names(f"_work/units/{each}")}


if __name__ == "__main__":
    raise SystemExit(main())
