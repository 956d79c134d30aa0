"""Full size: our recogniser beside upstream's own implementation, with the same random weights, on a CPU.

    python -m benchmarks.parity --work DIR [--store]

Makes a model.pt of the published names, shapes and number types (70 x 512 encoder, 28-layer LLM, with the CTC head),
converts it, and gives both implementations the same sound: three lengths through every stage, twenty prompts with low
and with all audio tokens through the LLM. Each step saves its results under --work, so that a stopped run goes on; one
model is in memory at a time (5 GB). `--store` keeps the result in benchmarks/results/parity.json.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from benchmarks.hardware import describe_machine
from funasr_beam.model.conversion.convert import convert
from tests.audio_doubles import sound
from tests.original_checkpoint import Recipe, write_full_size
from tests.parity import PROMPTS, Apart, Ours, compare_stages
from tests.upstream import Samples, Stages, Upstream

RESULT = Path(__file__).parent / "results" / "parity.json"
MAX_TOKENS = 8
GROUP = 5
SOUND_S = 1.0
LIMITS = {"features": 1e-3, "encoder": 1e-4, "adaptor": 1e-3, "ctc": 1e-3, "embeddings": 1e-3}
DURATIONS_S = (1.0, 4.1, 12.0)
MODES = ("low", "all")
SIDES = ("upstream", "ours")


def main() -> None:
    """Run what is not done yet, then compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--store", action="store_true", help="keep the result")
    parser.add_argument("--only", choices=("make", "upstream", "ours"), help="do this part and stop")
    arguments = parser.parse_args()
    original, converted = arguments.work / "Fun-ASR-Nano-random", arguments.work / "converted"
    if not (original / "model.pt").exists():
        write_full_size(original, Recipe(seed=1))
    if not converted.exists():
        convert(original, converted)
    if arguments.only in (None, "upstream"):
        collect(arguments.work / "upstream", lambda: Upstream(original))
    if arguments.only in (None, "ours"):
        collect(arguments.work / "ours", lambda: Ours(converted, MAX_TOKENS))
    if arguments.only is None:
        report(arguments.work, store=arguments.store)


def collect(folder: Path, load: Callable[[], Any]) -> None:
    """Everything that one implementation computes, a file for each part; parts that are there are left alone."""
    folder.mkdir(exist_ok=True)
    parts = [f"stages-{seconds}" for seconds in DURATIONS_S]
    parts += [f"{mode}-{first}" for mode in MODES for first in range(0, len(PROMPTS), GROUP)]
    missing = [part for part in parts if not (folder / f"{part}.pt").exists()]
    if not missing:
        return
    implementation = load()
    for part in missing:
        began = time.perf_counter()
        draft = folder / f"{part}.tmp"
        torch.save(compute(implementation, part), draft)
        draft.rename(folder / f"{part}.pt")
        print(f"{folder.name} {part}: {time.perf_counter() - began:.1f} s", flush=True)


def compute(implementation: Any, part: str) -> dict[str, Any]:
    """One part: the stages of one sound, or embeddings and texts for a group of prompts, each with its own sound."""
    kind, _, which = part.partition("-")
    if kind == "stages":
        stages = implementation.stages(samples_of(float(which)))
        return {field.name: getattr(stages, field.name) for field in fields(Stages)}
    implementation.hear(kind)
    asked = [(samples_of(SOUND_S, seed=seed), prompt) for seed, prompt in enumerate(PROMPTS.values())]
    group = asked[int(which) :][:GROUP]
    embeddings = [implementation.embeddings(samples, prompt) for samples, prompt in group]
    return {"embeddings": embeddings, "texts": implementation.texts(group, MAX_TOKENS)}


def samples_of(duration_s: float, seed: int = 0) -> Samples:
    """A sound whose first tenth is digital silence."""
    samples = sound(duration_s, seed)
    samples[: len(samples) // 10] = 0
    return samples


def report(work: Path, *, store: bool) -> None:
    """Print the table; raise the alarm where a limit is passed."""
    stages = worst(work)
    texts = {mode: same_texts(work, mode) for mode in MODES}
    for name, apart in stages.items():
        print(f"| {name} | {apart:.1e} | {LIMITS[name]:.0e} |")
    for mode, (same, different) in texts.items():
        print(
            f"| greedy text, {mode} audio tokens | {same} of {len(PROMPTS)} equal, {different} different texts | all |"
        )
    if store:
        content = {
            "machine": describe_machine() | {"funasr": version("funasr")},
            "largest_difference": stages,
            "limits": LIMITS,
            "texts": {mode: {"equal": same, "of": len(PROMPTS), "distinct": n} for mode, (same, n) in texts.items()},
            "max_tokens": MAX_TOKENS,
            "durations_s": DURATIONS_S,
            "prompts": list(PROMPTS),
        }
        RESULT.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    passed = all(apart <= LIMITS[name] for name, apart in stages.items())
    if not passed or any(same < len(PROMPTS) for same, _ in texts.values()):
        raise SystemExit("parity is broken")


def worst(work: Path) -> dict[str, float]:
    """The largest absolute difference at each stage, over all sounds and prompts."""
    aparts: list[dict[str, float]] = []
    for seconds in DURATIONS_S:
        theirs, ours = (Stages(**load(work / name / f"stages-{seconds}.pt")) for name in SIDES)
        aparts.append(asdict(compare_stages(theirs, ours)))
    found = {field.name: max(apart[field.name] for apart in aparts) for field in fields(Apart)}
    pairs = [pair for mode in MODES for pair in zip(*both(work, mode, "embeddings"), strict=True)]
    return found | {"embeddings": max((theirs - ours).abs().max().item() for theirs, ours in pairs)}


def same_texts(work: Path, mode: str) -> tuple[int, int]:
    """How many of the prompts give the same text, and how many texts there are."""
    theirs, ours = both(work, mode, "texts")
    return sum(one == other for one, other in zip(theirs, ours, strict=True)), len(set(theirs))


def both(work: Path, mode: str, what: str) -> list[list[Any]]:
    """What upstream and we got for all prompts."""
    groups = range(0, len(PROMPTS), GROUP)
    return [[item for first in groups for item in load(work / name / f"{mode}-{first}.pt")[what]] for name in SIDES]


def load(path: Path) -> dict[str, Any]:
    """One part's results."""
    content: dict[str, Any] = torch.load(path, weights_only=True)
    return content


if __name__ == "__main__":
    main()
