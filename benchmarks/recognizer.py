"""The recogniser beside upstream's and transformers' own with the same random weights: speed, and where time goes.

    python -m benchmarks.recognizer [--size full] [--device auto] [--profiles mixed] [--hours 0.1] [--store]

Segments as long as those of calls and podcasts, texts of 4.5 tokens per second of audio. Each way is a process of its
own, so that one model is in memory at a time; what it found stays in --work, so that a stopped run goes on where it
was. A way that fails, or for which --within leaves no time, is told, and what is there is reported and kept. Attention
is kept from cuDNN for all ways. Speed is audio seconds per second of wall clock, and on a CPU per CPU second too, which
other work on the machine disturbs less. On a GPU the ledger of stages is taken in a further pass, in which the host
waits for the device at the border of each stage. Needs torch, torchaudio, transformers and pyarrow, no network, and
runs in a bare checkout. `--store` keeps the result in benchmarks/results/recognizer_DEVICE.json.
"""

import argparse
import functools
import hashlib
import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import torch

from benchmarks import tables
from benchmarks.hardware import describe_machine, device_label, peak_mb
from benchmarks.profiles import PROFILES, TOKENS_PER_S, durations, utterances
from benchmarks.random_checkpoints import SIZES, make_checkpoint
from benchmarks.recognizer_sides import OURS_BF16, OURS_FP32, SIDES, TIMED, Loading, Ours, Side, load_side, missing
from benchmarks.recognizer_table import Part, Pass, details, join, read_part
from funasr_beam.model.batching import BatchLimits
from funasr_beam.model.devices import pick_device
from funasr_beam.model.recognizers.base import LlmPrecision, Utterance
from funasr_beam.model.recognizers.loading import keep_attention_from_cudnn
from funasr_beam.model.stage_clock import DECODE

RESULTS = Path(__file__).parent / "results"
PRECISIONS: dict[str, LlmPrecision] = {"mixed": "auto", "fp32": "float32"}
"""Of the LLM, by what the result file calls them."""
NO_TIME, FAILED = "no time was left", "failed"


def main() -> int:
    """Measure what is not measured yet, print the tables; 1 where a way failed."""
    arguments = parse()
    ends_s = time.monotonic() + (arguments.within or math.inf)
    with tempfile.TemporaryDirectory() as scratch:
        arguments.work = arguments.work or Path(scratch)
        arguments.work.mkdir(parents=True, exist_ok=True)
        if arguments.side:
            measure_side(arguments)
            return 0
        troubles = measure_missing(arguments, ends_s)
        report(arguments, troubles)
    return int(FAILED in troubles.values())


def measure_missing(arguments: argparse.Namespace, ends_s: float) -> dict[str, str]:
    """Measure each way of which a part is missing; what kept which of them from its end."""
    troubles = {}
    for side in arguments.sides:
        if all(part_path(arguments, side, profile).exists() for profile in arguments.profiles):
            continue
        if missing(side) is None:
            make_checkpoint(arguments.work, arguments.size)  # here, where no limit interrupts it
        trouble = measure_alone(side, arguments, ends_s - time.monotonic())
        if trouble:
            print(f"{side}: {trouble}", file=sys.stderr, flush=True)
            troubles[side] = trouble
    return troubles


def measure_alone(side: str, arguments: argparse.Namespace, left_s: float) -> str | None:
    """Measure a way in a process of its own, or here; what kept it from its end."""
    if arguments.together:
        measure_side(argparse.Namespace(**{**vars(arguments), "side": side}))
        return None
    if left_s <= 0:
        return NO_TIME
    again = [*sys.argv[1:], "--side", side, "--work", str(arguments.work)]
    command = [sys.executable, "-m", "benchmarks.recognizer", *again]
    try:
        done = subprocess.run(command, timeout=None if math.isinf(left_s) else left_s, check=False)
    except subprocess.TimeoutExpired:
        return NO_TIME
    return FAILED if done.returncode else None


def parse() -> argparse.Namespace:
    """What was asked, with device and batch settled."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="full")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--profiles", nargs="+", choices=PROFILES, default=["mixed"])
    parser.add_argument("--hours", type=float, default=0.1, help="of audio for each profile")
    parser.add_argument("--peers-get", type=int, default=1, metavar="N", help="the others hear one segment in N")
    parser.add_argument("--batch", type=int, default=0, help="segments that the others get at once; 0: 64 or 16")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of torch, on the CPU")
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        default="mixed",
        help="mixed: the LLM of a GPU in bf16; fp32: rounding alike on all sides",
    )
    parser.add_argument("--repeats", type=int, default=1)
    usual = [side for side in SIDES if side not in (OURS_FP32, OURS_BF16, TIMED)]
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=usual)
    parser.add_argument("--work", type=Path, help="where checkpoints and parts are kept; none: thrown away")
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder for --store")
    parser.add_argument("--side", choices=SIDES, help="measure this one alone, into --work")
    parser.add_argument("--together", action="store_true", help="measure all ways in this process: for small models")
    parser.add_argument("--within", type=float, default=0.0, metavar="S", help="begin and go on with no way after that")
    parser.add_argument("--store", action="store_true", help="keep the result")
    arguments = parser.parse_args()
    if arguments.device == "auto":
        arguments.device = pick_device("auto").type
    arguments.batch = arguments.batch or (64 if arguments.device == "cuda" else 16)
    return arguments


def measure_side(arguments: argparse.Namespace) -> None:
    """Load one way, and let it recognise every profile."""
    torch.set_num_threads(arguments.threads)
    keep_attention_from_cudnn()
    why = missing(arguments.side)
    if why is not None:
        for profile in arguments.profiles:
            write_part(arguments, Part(arguments.side, profile, missing=why))
        return
    checkpoint = make_checkpoint(arguments.work, arguments.size)
    # A GPU has room for batches of the longest; a CPU only loses by them.
    limits = BatchLimits(30.0 * arguments.batch if arguments.device == "cuda" else 240.0, arguments.batch)
    side = load_side(arguments.side, Loading(checkpoint, arguments.device, limits, PRECISIONS[arguments.precision]))
    for profile in arguments.profiles:
        part = measure(side, profile, arguments)
        write_part(arguments, part)
        print(f"{part.side}, {profile}: {part.speed():.2f}x", file=sys.stderr, flush=True)


def measure(side: Side, profile: str, arguments: argparse.Namespace) -> Part:
    """One way on one profile: some passes for speed, and on a GPU one more for the ledger."""
    lengths = durations(profile, arguments.hours)
    places = range(0, len(lengths), 1 if isinstance(side, Ours) else arguments.peers_get)
    heard = utterances(lengths, itn=arguments.side != TIMED)
    asked = [heard[place] for place in places]
    on_gpu = arguments.device == "cuda"
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    # A GPU's steps are recorded now, its kernels are loaded, and its memory is taken.
    side.texts(asked if on_gpu and isinstance(side, Ours) else asked[: arguments.batch if on_gpu else 1])
    # Where the others get fewer segments, time is short: they get them once.
    repeats = arguments.repeats if isinstance(side, Ours) or arguments.peers_get == 1 else 1
    taken = [take_pass(side, asked) for _ in range(repeats)]
    ledger = taken[-1][0]
    if on_gpu and isinstance(side, Ours):
        with side.waiting_for_the_device():
            ledger = take_pass(side, asked)[0]
    texts = dict(zip(places, taken[-1][1], strict=True))
    audio_s = sum(lengths[place] for place in places)
    passes = tuple(one for one, _ in taken)
    padding = {"here": side.padding([lengths[place] for place in places])}
    padding |= {f"an hour of {name}": side.padding(durations(name, 1.0)) for name in PROFILES}
    return Part(arguments.side, profile, None, audio_s, texts, passes, ledger, memory_mb(on_gpu), padding)


def take_pass(side: Side, asked: Sequence[Utterance]) -> tuple[Pass, list[str]]:
    """All segments once."""
    side.clock.reset()
    wall, cpu = time.perf_counter(), time.process_time()
    texts = side.texts(asked)
    wall_s, cpu_s = time.perf_counter() - wall, time.process_time() - cpu
    found = side.clock.read()
    steps = found[DECODE].count if DECODE in found else 0
    return Pass(wall_s, cpu_s, {name: stage.seconds for name, stage in found.items()}, steps), texts


def memory_mb(on_gpu: bool) -> int:
    """The most that this process has held: of the GPU's memory, or of the machine's."""
    return torch.cuda.max_memory_allocated() // 10**6 if on_gpu else peak_mb()


def report(arguments: argparse.Namespace, troubles: Mapping[str, str]) -> None:
    """Print the tables from the parts, and keep them if asked."""
    profiles = {}
    for profile in arguments.profiles:
        parts = [find_part(arguments, side, profile, troubles) for side in arguments.sides]
        profiles[profile] = join(durations(profile, arguments.hours), parts)
    kept = {
        name: getattr(arguments, name)
        for name in ("size", "device", "hours", "peers_get", "batch", "repeats", "precision")
    }
    content = {
        "machine": describe_machine("torchaudio", "funasr"),
        "settings": kept | {"tokens_per_s": TOKENS_PER_S, "threads": arguments.threads},
        "profiles": profiles,
    }
    print(tables.recognizer(content), details(profiles), sep="\n\n", flush=True)
    if not arguments.store or all("missing" in way for found in profiles.values() for way in found["ways"].values()):
        return
    label = device_label(arguments.device) + ("_fp32" if arguments.precision == "fp32" else "")
    path = arguments.output / f"recognizer_{label}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def part_path(arguments: argparse.Namespace, side: str, profile: str) -> Path:
    """Where one way's results on one profile are kept."""
    keys = ("size", "device", "hours", "peers_get", "batch", "threads", "precision", "repeats")
    asked = [*(getattr(arguments, key) for key in keys), profile, side, what_is_measured(arguments.device)]
    return Path(arguments.work) / f"part {' '.join(map(str, asked))}.json"


@functools.cache
def what_is_measured(device: str) -> str:
    """A short word for this code on this device with these libraries: of another one no part is taken."""
    root = Path(__file__).parent.parent
    told = hashlib.sha256(json.dumps([device_label(device), describe_machine("torchaudio", "funasr")]).encode())
    for path in sorted([*root.glob("model/**/*.py"), *root.glob("benchmarks/*.py")]):
        told.update(path.read_bytes())
    return told.hexdigest()[:12]


def find_part(arguments: argparse.Namespace, side: str, profile: str, troubles: Mapping[str, str]) -> Part:
    """What one way found on one profile, or why there is nothing; the latter is not kept, and tried again next time."""
    path = part_path(arguments, side, profile)
    return read_part(path) if path.exists() else Part(side, profile, missing=troubles[side])


def write_part(arguments: argparse.Namespace, part: Part) -> None:
    """Keep a part whole."""
    path = part_path(arguments, part.side, part.profile)
    draft = path.with_suffix(".tmp")
    draft.write_text(json.dumps(asdict(part)), encoding="utf-8")
    draft.rename(path)


if __name__ == "__main__":
    sys.exit(main())
