"""Is a device ever idle while a thread has work for it?

    python -m benchmarks.device_share [--store]

Threads that each carry a unit of calls through recognition, guards, language, ITN and results, with devices that only
sleep: 2,000 audio seconds a second, one caller at a time, the GIL released, as a GPU does. Gives the share of the time
for which they are busy. `--store` keeps the result in benchmarks/results/device_share.json.
"""

import argparse
import itertools
import json
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.hardware import describe_machine
from benchmarks.host_run import spoken_text
from benchmarks.profiles import durations
from funasr_beam.model.batching import BatchLimits
from funasr_beam.model.checkpoint import CheckpointInfo, describe, resolve
from funasr_beam.model.front_end import SpanAudio, UnitAudio
from funasr_beam.model.recognizers.base import Utterance
from funasr_beam.model.recognizers.fun_asr_nano import GPU_CALL
from funasr_beam.model.recognizers.memory import GPU
from funasr_beam.model.records import SAMPLE_RATE, Hypothesis, Recording, Segment, Span, Unit
from funasr_beam.model.transcriber_pool import Member, TranscriberPool
from funasr_beam.model.transcripts import TranscriberConfig, UnitTranscriber

RESULT = Path(__file__).parent / "results" / "device_share.json"
SPEED = 2_000.0
UNITS_PER_THREAD = 4
THREADS = (1, 2, 3, 4)  # for each device
DEVICES = (1, 4)
HOURS = 0.5


@dataclass(frozen=True)
class Share:
    """How busy the devices were."""

    asked_at_once: str
    devices: int
    threads: int  # for each device
    busy: float  # percent


class SleepingDevice:
    """Takes as long as a GPU, and says something."""

    def __init__(self, batch_limits: BatchLimits) -> None:
        self.batch_limits, self.busy_s = batch_limits, 0.0
        self._lock = threading.Lock()
        self._info = describe(resolve("demo"))

    def describe(self) -> CheckpointInfo:
        """As the demo checkpoint."""
        return self._info

    def recognize(self, utterances: Sequence[Utterance]) -> list[Hypothesis]:
        """Words, as many as there is room for."""
        with self._lock:
            began = time.perf_counter()
            time.sleep(sum(utterance.duration_s for utterance in utterances) / SPEED)
            self.busy_s += time.perf_counter() - began
        return [spoken_text(utterance.duration_s) for utterance in utterances]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", action="store_true", help="keep the result")
    arguments = parser.parse_args()
    ways = {"64 segments": BatchLimits(), "a unit": replace(GPU_CALL, part_padded_s=GPU.encoder_padded_s)}
    print("| asked at once | devices | threads for each | busy |\n| --- | --- | --- | --- |")
    shares = []
    for name, devices, threads in itertools.product(ways, DEVICES, THREADS):
        shares.append(Share(name, devices, threads, 100 * measure(ways[name], devices, threads)))
        print(f"| {name} | {devices} | {threads} | {shares[-1].busy:.1f} % |", flush=True)
    if arguments.store:
        content = {"machine": describe_machine(), "speed": SPEED, "shares": [asdict(share) for share in shares]}
        RESULT.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def measure(limits: BatchLimits, count: int, threads: int) -> float:
    """The share of the time between the first request and the last answer for which devices are busy."""
    devices = [SleepingDevice(limits) for _ in range(count)]
    transcribers = [UnitTranscriber(device, TranscriberConfig("demo")) for device in devices]
    for transcriber in transcribers:
        transcriber.transcribe(make_unit(HOURS / 20, seed=99))  # what is loaded at the first use is loaded
    transcriber_pool = TranscriberPool([Member("cpu", transcriber) for transcriber in transcribers])
    units = [make_unit(HOURS, seed) for seed in range(threads)] * count
    for device in devices:
        device.busy_s = 0.0
    began = time.perf_counter()
    with ThreadPoolExecutor(len(units)) as pool:
        list(pool.map(transcriber_pool.transcribe, units * UNITS_PER_THREAD))
    return sum(device.busy_s for device in devices) / count / (time.perf_counter() - began)


def make_unit(hours: float, seed: int) -> UnitAudio:
    """A unit of one recording with segments as long as those of calls."""
    recording = Recording(id=f"r{seed}", uri=f"{seed}.wav", size_bytes=1, fingerprint="f")
    segments, at_s = [], 0.0
    for index, length_s in enumerate(durations("calls", hours, seed)):
        samples = np.zeros(round(length_s * SAMPLE_RATE), np.int16)
        segments.append(Segment(0, index, at_s, at_s + length_s, samples, speech_probability=0.99))
        at_s += length_s
    span = Span(f"s{seed}", recording, None, 0, 0.0, at_s)
    return UnitAudio(Unit(f"u{seed}", (span,)), (SpanAudio(span, None, 0.0, at_s, tuple(segments)),))


if __name__ == "__main__":
    main()
