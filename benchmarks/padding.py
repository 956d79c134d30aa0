"""How much padding is computed with units of calls and of podcasts, with what suits a CPU and graphics cards?

    python -m benchmarks.padding [--store]

Cuts units of 30 and 60 minutes into the parts that the encoder takes, with the limits in use, and compares them with a
sorted list that is cut where a part is full. `--store` keeps the result in benchmarks/results/padding.json.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median

from benchmarks.hardware import describe_machine
from benchmarks.profiles import PROFILES, durations
from funasr_beam.model.batching import make_parts, padded_seconds
from funasr_beam.model.recognizers.fun_asr_nano import CPU_CALL, GPU_CALL
from funasr_beam.model.recognizers.memory import CPU, GPU
from funasr_beam.model.records import Seconds

RESULT = Path(__file__).parent / "results" / "padding.json"
DEVICES = {"CPU": (CPU_CALL, CPU), "GPU": (GPU_CALL, GPU)}
HOURS = (0.5, 1.0)
UNITS = 20


@dataclass(frozen=True)
class Waste:
    """Seconds of padding to a second of audio, over units of different seeds, in percent."""

    device: str
    profile: str
    minutes: int
    median: float
    worst: float
    full_parts: float  # median, with parts that are cut where they are full
    parts: int  # median number


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", action="store_true", help="keep the result")
    arguments = parser.parse_args()
    print("| device | profile | unit | waste % (worst) | parts filled up % | parts |\n" + "| --- " * 6 + "|")
    wastes = []
    for waste in measure():
        wastes.append(waste)
        figures = f"{waste.median:.1f} ({waste.worst:.1f}) | {waste.full_parts:.1f} | {waste.parts}"
        print(f"| {waste.device} | {waste.profile} | {waste.minutes} min | {figures} |")
    if arguments.store:
        content = {"machine": describe_machine(), "units": UNITS, "waste": [asdict(waste) for waste in wastes]}
        RESULT.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def measure() -> Iterator[Waste]:
    """Every device, profile and length of unit."""
    for device, (call, shares) in DEVICES.items():
        limits = replace(call, part_padded_s=shares.encoder_padded_s)
        for profile in PROFILES:
            for hours in HOURS:
                units = [durations(profile, hours, seed) for seed in range(UNITS)]
                ours = [100 * (padded_seconds(unit, limits) / sum(unit) - 1) for unit in units]
                full = [100 * (_filled_up(unit, shares.encoder_padded_s) / sum(unit) - 1) for unit in units]
                parts = [len(make_parts(unit, limits)) for unit in units]
                minutes = round(60 * hours)
                yield Waste(device, profile, minutes, median(ours), max(ours), median(full), round(median(parts)))


def _filled_up(lengths: list[Seconds], max_padded_s: Seconds) -> Seconds:
    """Padded seconds of the sorted list, cut where the next one would be too much."""
    padded_s, room, longest_s = 0.0, 0, 0.0
    for length_s in sorted(lengths, reverse=True):
        if room == 0:
            longest_s, room = length_s, int(max_padded_s / length_s)
        padded_s, room = padded_s + longest_s, room - 1
    return padded_s


if __name__ == "__main__":
    main()
