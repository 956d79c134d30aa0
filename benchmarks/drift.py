"""Does drift alarm when a night is different, and keep quiet when it is not?

    python -m benchmarks.drift [--recordings 40] [--work DIR] [--store]

Synthetic calls (held-out texts and voices, noise at 15 to 30 dB, one in five through a telephone, one in six in
Mandarin) go through the whole pipeline with the demo checkpoint, once as they are and once for each change. Nights of
100 recordings are drawn from these with replacement; each is compared with seven nights drawn from the unchanged ones.
Every change is tried with ten seeds, and 200 nights without any change are compared in the same way.
"""

import argparse
import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.demo_pipeline import write_wav
from benchmarks.hardware import describe_machine
from funasr_beam.model.demo_speech.channel import Channel
from funasr_beam.model.demo_speech.recording import Language, Recipe, render
from funasr_beam.model.metrics.dataset import DatasetMetrics
from funasr_beam.model.metrics.drift import Drift, RunProfile, compare_runs
from funasr_beam.model.metrics.summary import Prices, flat, summarize
from funasr_beam.pipeline.cli import main as funasr_beam
from funasr_beam.pipeline.drift import profile_of

RESULT = Path(__file__).parent / "results" / "drift.json"
NIGHT = 100
NIGHTS = 7
SEEDS = 10
QUIET_NIGHTS = 200

CHANGES = {
    "VAD threshold 0.5 to 0.9": ["--set", "segmentation.threshold=0.9", "--set", "segmentation.neg_threshold=0.75"],
    "20 % more silence": [],
    "speech in another language than told": [],
    "noise 10 dB louder": [],
}


def main() -> int:
    """Make the recordings, transcribe them, draw nights, print a table row for each change."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recordings", type=int, default=40, help="in each pool from which nights are drawn")
    parser.add_argument("--work", type=Path, help="keep the recordings and tables here, and go on from what is there")
    parser.add_argument("--store", action="store_true", help="keep the result")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        pools = make_pools(arguments.work or Path(scratch), arguments.recordings)
    found = measure(pools)
    print("| change | alarms | what alarmed |\n| --- | --- | --- |")
    for name, line in found.items():
        print(f"| {name} | {line['alarms']} of {line['nights']} | {', '.join(line['what'])} |")
    if arguments.store:
        content = {"machine": describe_machine(), "recordings": arguments.recordings, "night": NIGHT, "changes": found}
        RESULT.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return 0


def make_pools(work: Path, count: int) -> dict[str, pa.Table]:
    """The `recordings` rows of each pool by its name; "no change" is the unchanged one."""
    pools = {}
    wanted = pa.array([f"call-{place}" for place in range(count)])  # a kept folder may hold more
    for place, (name, options) in enumerate({"no change": [], **CHANGES}.items()):
        output = work / f"out-{place}"
        if not list(output.glob("runs/*/_SUCCESS")):
            write_pool(work / f"in-{place}", name, count)
            command = ["transcribe", str(work / f"in-{place}/manifest.csv"), "--output", str(output), "--model", "demo"]
            if funasr_beam([*command, "--itn", "none", *options]) != 0:
                raise SystemExit(f"the pool {name!r} could not be transcribed")
        (part,) = output.glob("recordings/run=*/*.parquet")
        rows = pq.ParquetFile(part).read()
        pools[name] = rows.filter(pc.is_in(rows["recording_id"], value_set=wanted))
    return pools


def write_pool(folder: Path, name: str, count: int) -> None:
    """Write the recordings of a pool, and then their manifest: files that are there are the same ones tomorrow."""
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / "manifest.csv").exists():
        return
    lines = ["uri,id,language"]
    for key, recipe, told in recipes(name, count):
        write_wav(folder / f"{key}.wav", render(recipe, f"drift/{key}").samples)
        lines.append(f"{key}.wav,{key},{told}")
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def recipes(name: str, count: int) -> Iterator[tuple[str, Recipe, str]]:
    """The same calls in every pool, with one thing changed; the language of the manifest never changes."""
    generator = np.random.default_rng(11)
    for place in range(count):
        noise_db = float(generator.uniform(15, 30))
        told: Language = "zh" if place % 6 == 0 else "en"
        recipe = Recipe(
            language=told,
            sentences=int(generator.integers(3, 7)),
            channel=Channel(noise_db=noise_db, phone=place % 5 == 0),
        )
        if name == "noise 10 dB louder":
            recipe = replace(recipe, channel=replace(recipe.channel, noise_db=noise_db - 10))
        if name == "20 % more silence":  # of the recording's length: pauses and edges are a fifth of these calls
            recipe = replace(recipe, pause_s=(0.6, 3.0), edge_s=(0.4, 1.2))
        if name == "speech in another language than told":
            recipe = replace(recipe, language="en" if told == "zh" else "zh")
        yield f"call-{place}", recipe, told


def measure(pools: dict[str, pa.Table]) -> dict[str, dict[str, object]]:
    """Alarms by change."""
    same = pools["no change"]
    found = {"no change": tell([compare(same, same, 1000 + seed) for seed in range(QUIET_NIGHTS)])}
    for name in CHANGES:
        found[name] = tell([compare(same, pools[name], seed) for seed in range(SEEDS)])
        longer = sum(pools[name]["duration"].to_pylist()) / sum(same["duration"].to_pylist()) - 1
        speech = sum(pools[name]["speech_duration"].to_pylist()) / sum(same["speech_duration"].to_pylist()) - 1
        found[name] |= {"duration_change": longer, "speech_change": speech}
    return found


def compare(pool: pa.Table, other: pa.Table, seed: int) -> Drift:
    """A night from `other` against seven from `pool`."""
    generator = np.random.default_rng(seed)
    earlier = [night(pool, generator, f"night-{place}") for place in range(NIGHTS)]
    return compare_runs(night(other, generator, "tonight"), earlier)


def night(pool: pa.Table, generator: np.random.Generator, name: str) -> RunProfile:
    """A night of recordings drawn with replacement, as its metrics tell it."""
    metrics = DatasetMetrics()
    metrics.add_recordings(pool.take(generator.integers(0, len(pool), NIGHT)))
    rows = [
        {"metric": each.name, "value": each.value, "bins": [vars(found) for found in each.bins]}
        for each in flat(metrics, summarize(metrics, Prices()))
    ]
    return profile_of(name, rows)


def tell(nights: list[Drift]) -> dict[str, object]:
    """How many nights alarm, and through what, most often first."""
    what = Counter(check.name for found in nights for check in found.alarms)
    names = dict(what.most_common())
    return {"alarms": sum(bool(found.alarms) for found in nights), "nights": len(nights), "what": names}


if __name__ == "__main__":
    raise SystemExit(main())
