"""Speed of the VAD on one thread, beside the wheel's own model run as it comes: frame by frame.

    python -m benchmarks.vad [--minutes 10] [--repeats 5] [--store]

Times are CPU seconds of the thread, so that other work on the machine counts little; both are given the same synthetic
speech in turns. `--store` keeps the result in benchmarks/results/vad.json.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from benchmarks.hardware import describe_machine
from funasr_beam.model.demo_speech.recording import Recipe, render
from funasr_beam.model.records import SAMPLE_RATE, Samples
from funasr_beam.model.segmentation import SegmentationConfig, cut_segments, segment_bounds, speech_intervals
from funasr_beam.model.silero import FRAME_SAMPLES, vad_version
from funasr_beam.model.vad import SpeechDetector

RESULT = Path(__file__).parent / "results" / "vad.json"
REFERENCE_SHARE = 10
"""The reference is ten times slower, so it is given a tenth of the audio."""

Probabilities = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Speed:
    """Audio seconds per CPU second over the repeats."""

    median: float
    slowest: float
    fastest: float


def main() -> None:
    """Make the speech, run both, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--store", action="store_true", help="keep the result")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    samples = synthetic_speech(arguments.minutes * 60)
    speeds, difference = measure(samples, arguments.repeats)
    for name, speed in speeds.items():
        print(f"| {name} | {speed.median:,.0f} | {speed.slowest:,.0f} to {speed.fastest:,.0f} |")
    print(f"largest difference of a probability: {difference:.1e}")
    if arguments.store:
        content = {
            "machine": describe_machine() | {"vad": vad_version()},
            "audio_s": len(samples) / SAMPLE_RATE,
            "x_realtime": {name: asdict(speed) for name, speed in speeds.items()},
            "max_difference": difference,
        }
        RESULT.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def synthetic_speech(duration_s: float) -> Samples:
    """Sentences of many voices with pauses, int16 mono at 16 kHz."""
    parts: list[Samples] = []
    while sum(map(len, parts)) < duration_s * SAMPLE_RATE:
        parts.append((render(Recipe(), seed=len(parts)).samples * 32767).round().clip(-32768, 32767).astype(np.int16))
    return np.concatenate(parts)[: round(duration_s * SAMPLE_RATE)]


def measure(samples: Samples, repeats: int) -> tuple[dict[str, Speed], float]:
    """Speeds by name, and the largest difference between the two ways."""
    detector, reference = SpeechDetector(), WheelsOwnModel()
    few = samples[: len(samples) // REFERENCE_SHARE // FRAME_SAMPLES * FRAME_SAMPLES]
    [probabilities] = detector.speech_probabilities([samples])
    difference = float(np.abs(detector.speech_probabilities([few])[0] - reference.speech_probabilities(few)).max())
    runs: dict[str, tuple[Callable[[], object], int]] = {
        "funasr-beam, one channel": (lambda: detector.speech_probabilities([samples]), len(samples)),
        "funasr-beam, three channels": (lambda: detector.speech_probabilities([samples] * 3), 3 * len(samples)),
        "silero-vad's own model, frame by frame": (lambda: reference.speech_probabilities(few), len(few)),
        "cutting (intervals, bounds, copies)": (lambda: cut(samples, probabilities), len(samples)),
    }
    speeds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, (run, num_samples) in runs.items():
            began = time.thread_time()
            run()
            speeds[name].append(num_samples / SAMPLE_RATE / (time.thread_time() - began))
    return {name: Speed(statistics.median(own), min(own), max(own)) for name, own in speeds.items()}, difference


def cut(samples: Samples, probabilities: Probabilities) -> int:
    """Everything between probabilities and segments; gives the number of segments."""
    config = SegmentationConfig()
    intervals = speech_intervals(probabilities, config, 0.0, 0)
    bounds = segment_bounds(intervals, probabilities, config, 0.0, len(samples) / SAMPLE_RATE)
    return len(cut_segments(samples, bounds, intervals, probabilities, 0, 0.0))


class WheelsOwnModel:
    """The model in the wheel as its own package runs it."""

    def __init__(self) -> None:
        from silero_vad import load_silero_vad

        self._model = load_silero_vad()

    def speech_probabilities(self, samples: Samples) -> Probabilities:
        """One probability per frame of 512 samples."""
        self._model.reset_states()
        frames = torch.from_numpy(samples.astype(np.float32) / 32768).view(-1, 1, FRAME_SAMPLES)
        with torch.inference_mode():
            return np.array([self._model(frame, SAMPLE_RATE).item() for frame in frames], dtype=np.float32)


if __name__ == "__main__":
    main()
