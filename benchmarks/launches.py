"""Does the Python of other threads keep a GPU waiting for its launches, and does a process of its own help?

    python -m benchmarks.launches [--units 12] [--repeats 3] [--tiny] [--store]

No GPU is needed: a device stands in for one. Each of its launches is an operation of torch on the CPU that takes 5 us,
which gives the interpreter's lock away and has to get it back, as on a GPU; its own seconds pass on a clock beside it.
It takes the seconds, launches and looks that a unit of calls has by a model of an H100's time (they are not measured).
Threads carry units through recognition, word times, guards, language, ITN and results, and then hold the lock for as
long as decoding, VAD and rows do in the real pipeline (benchmarks/results/host_scaling.json). The recogniser is in the
process of these threads, or in its own. Gives the share of the time for which the device is at work. `--store` keeps
the result in benchmarks/results/launches.json.
"""

import argparse
import functools
import itertools
import json
import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import tables
from benchmarks.device_share import make_unit
from benchmarks.hardware import describe_machine
from benchmarks.launched_device import DEVICE, LaunchedDevice
from funasr_beam.model.checkpoint import CheckpointInfo
from funasr_beam.model.recognizers.base import Recognizer, Utterance
from funasr_beam.model.recognizers.own_process.owner import OwnProcessRecognizer
from funasr_beam.model.records import Hypothesis
from funasr_beam.model.stage_clock import StageClock
from funasr_beam.model.transcripts import TranscriberConfig, UnitTranscriber

RESULT = Path(__file__).parent / "results" / "launches.json"
THREADS = (1, 2, 4, 8)
PROCESSES = ("shared", "own")
HOURS = 0.5  # of a unit

HELD_MS_PER_MINUTE = 2.0
"""Of audio: for which the host path holds the lock, texts apart."""


@dataclass(frozen=True)
class Share:
    """How busy the device was."""

    process: str  # of the recogniser
    threads: int
    busy: float  # percent, median over the repeats
    least: float
    most: float
    x_realtime: float


class WithHostPath:
    """A recogniser whose caller also has the work of decoding, VAD and rows."""

    def __init__(self, recognizer: Recognizer) -> None:
        self._recognizer, self.batch_limits = recognizer, recognizer.batch_limits

    def describe(self) -> CheckpointInfo:
        """As the recogniser."""
        return self._recognizer.describe()

    def recognize(self, utterances: Sequence[Utterance]) -> Sequence[Hypothesis]:
        """As the recogniser; then the lock is held."""
        found = self._recognizer.recognize(utterances)
        audio_s = sum(utterance.duration_s for utterance in utterances)
        ends_s = time.thread_time() + HELD_MS_PER_MINUTE / 1_000 * audio_s / 60
        while time.thread_time() < ends_s:
            sum(range(2_000))
        return found  # type: ignore[return-value]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", type=int, default=12, help="of half an hour, for each figure")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--tiny", action="store_true", help="a unit for each way, once: shows that it runs")
    parser.add_argument("--store", action="store_true", help="keep the result")
    arguments = parser.parse_args()
    if arguments.tiny:
        arguments.units, arguments.repeats = 1, 1
    found: dict[tuple[int, str], list[tuple[float, float]]] = {}
    for _ in range(arguments.repeats):
        for way in itertools.product(THREADS[:1] if arguments.tiny else THREADS, PROCESSES):
            found.setdefault(way, []).append(measure(*way, arguments.units))
    shares = []
    for (threads, process), own in found.items():
        busy = [100 * share for share, _ in own]
        x_realtime = statistics.median(speed for _, speed in own)
        shares.append(Share(process, threads, statistics.median(busy), min(busy), max(busy), x_realtime))
    content = {"machine": describe_machine(), "units": arguments.units, "shares": [asdict(share) for share in shares]}
    print(tables.launches(content))
    if arguments.store:
        RESULT.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def measure(threads: int, process: str, units: int) -> tuple[float, float]:
    """The share of the time for which the device is at work, and audio seconds a second."""
    clock = StageClock()
    load = functools.partial(LaunchedDevice, clock)
    device = OwnProcessRecognizer(load, clock, "cpu") if process == "own" else load()
    transcriber = UnitTranscriber(WithHostPath(device), TranscriberConfig("demo", repair=False))
    transcriber.transcribe(make_unit(HOURS / 20, seed=99))  # what is loaded at the first use is loaded
    clock.reset()
    asked = [make_unit(HOURS, seed % 4) for seed in range(units)]
    began = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(transcriber.transcribe, asked))
    took_s = time.perf_counter() - began
    if isinstance(device, OwnProcessRecognizer):
        device.close()
    return clock.seconds()[DEVICE] / took_s, units * HOURS * 3_600 / took_s


if __name__ == "__main__":
    main()
