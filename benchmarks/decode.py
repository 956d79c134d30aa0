"""Speed of decoding in this process and in the decoder process, and the memory that ten hours take.

    python -m benchmarks.decode [--minutes 20] [--repeats 5] [--hours 10] [--store]

Speeds are audio seconds per CPU second (decoder process and this one together), so that other work on the machine
counts little. The long MP3 is decoded hour by hour. `--store` keeps the result in benchmarks/results/decode.json.
"""

import argparse
import json
import re
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from benchmarks.hardware import cpu_so_far, describe_machine
from funasr_beam.model.audio.decode import TimeRange, decode_range
from funasr_beam.model.audio.sandbox import Decoder
from funasr_beam.model.audio.source import MediaSource

RESULT = Path(__file__).parent / "results" / "decode.json"
FORMATS = {
    "wav 16k mono": ("a.wav", "pcm_s16le", 16_000, 1),
    "wav 8k mu-law mono": ("mulaw.wav", "pcm_mulaw", 8_000, 1),
    "mp3 16k mono": ("a.mp3", "libmp3lame", 16_000, 1),
    "m4a 16k mono": ("a.m4a", "aac", 16_000, 1),
    "opus 48k mono": ("a.opus", "libopus", 48_000, 1),
    "mp3 44.1k stereo": ("stereo.mp3", "libmp3lame", 44_100, 2),
    "m4a 44.1k stereo": ("stereo.m4a", "aac", 44_100, 2),
    "flac 44.1k stereo": ("stereo.flac", "flac", 44_100, 2),
}


@dataclass(frozen=True)
class Speed:
    """Audio seconds per CPU second over the repeats."""

    median: float
    slowest: float
    fastest: float


@dataclass(frozen=True)
class LongFile:
    """Ten hours of MP3, hour by hour."""

    hours: float
    probe_s: float  # wall clock; the file has no index, so its packets are counted
    decode_s: float  # wall clock of all hours
    peak_child_mb: float
    peak_parent_growth_mb: float


def main() -> None:
    """Write the files, measure, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--hours", type=float, default=10)
    parser.add_argument("--store", action="store_true", help="keep the result")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        speeds = {}
        for label, (name, codec, rate, channels) in FORMATS.items():
            path = write(Path(folder) / name, codec, rate, syllables(arguments.minutes * 60, rate, channels))
            speeds[label] = measure(path, arguments.minutes * 60, arguments.repeats)
        long = measure_long(write_long(Path(folder) / "long.mp3", arguments.hours), arguments.hours)
    report(speeds, long)
    if arguments.store:
        content = {
            "machine": describe_machine() | {"av": av.__version__, "ffmpeg": av.ffmpeg_version_info},
            "audio_s": arguments.minutes * 60,
            "repeats": arguments.repeats,
            "x_realtime": {
                label: {way: asdict(speed) for way, speed in ways.items()} for label, ways in speeds.items()
            },
            "long_mp3": asdict(long),
        }
        RESULT.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def report(speeds: dict[str, dict[str, Speed]], long: LongFile) -> None:
    """One row for each format, one line for the long file."""
    print("| format | in this process (x-realtime per core) | through the decoder process |\n| --- | --- | --- |")
    for label, ways in speeds.items():
        cells = [f"{speed.median:,.0f} ({speed.slowest:,.0f} to {speed.fastest:,.0f})" for speed in ways.values()]
        print(f"| {label} | {' | '.join(cells)} |")
    print(
        f"{long.hours:g} h mp3: probe {long.probe_s:.1f} s, decode {long.decode_s:.1f} s, decoder process at most "
        f"{long.peak_child_mb:.0f} MB, this one grew by {long.peak_parent_growth_mb:.0f} MB for one hour of samples"
    )


def measure(path: Path, audio_s: float, repeats: int) -> dict[str, Speed]:
    """Both ways in turns, so that both meet the same machine."""
    source = MediaSource(str(path))
    inside: list[float] = []
    outside: list[float] = []
    with Decoder() as decoder:
        decoder.probe(source)
        for _ in range(repeats):
            inside.append(audio_s / cpu_of(lambda: decode_range(source), None))
            outside.append(audio_s / cpu_of(lambda: decoder.decode_range(source), decoder.pid))
    return {"in_process": speed_of(inside), "sandbox": speed_of(outside)}


def speed_of(runs: list[float]) -> Speed:
    """Median and extremes."""
    return Speed(statistics.median(runs), min(runs), max(runs))


def cpu_of(work: Callable[[], object], child: int | None) -> float:
    """CPU seconds of this process, and of a child, for some work."""
    before = time.process_time() + cpu_so_far(child)
    work()
    return time.process_time() + cpu_so_far(child) - before


def measure_long(path: Path, hours: float) -> LongFile:
    """Probe, then decode hour by hour, dropping each."""
    source, start_mb = MediaSource(str(path)), memory_mb("self", "VmRSS")
    parent_mb, decode_s = start_mb, 0.0
    with Decoder() as decoder:
        began = time.perf_counter()
        decoder.probe(source)
        probe_s = time.perf_counter() - began
        for hour in range(int(hours)):
            began = time.perf_counter()
            decoded = decoder.decode_range(source, TimeRange(hour * 3600, (hour + 1) * 3600))
            decode_s += time.perf_counter() - began
            parent_mb = max(parent_mb, memory_mb("self", "VmRSS"))
            del decoded
        child_mb = memory_mb(str(decoder.pid), "VmHWM")
    return LongFile(hours, probe_s, decode_s, child_mb, parent_mb - start_mb)


def memory_mb(process: str, key: str) -> float:
    """A line of a process's status in MB."""
    found = re.search(rf"{key}:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text(encoding="ascii"))
    return int(found.group(1)) / 1000 if found else float("nan")


def syllables(duration_s: float, rate: int, channels: int) -> npt.NDArray[np.int16]:
    """(channels, frames): noise that swells three times a second, so that codecs have something to do."""
    rng = np.random.default_rng(0)
    frames = round(duration_s * rate)
    swell = 0.5 + 0.5 * np.sin(2 * np.pi * 3 * np.arange(frames, dtype=np.float32) / rate)
    return (4000 * swell * rng.standard_normal((channels, frames), np.float32)).astype(np.int16)


def write(path: Path, codec: str, rate: int, samples: npt.NDArray[np.int16], bit_rate: int = 0) -> Path:
    """Encode (channels, frames) samples to a file; bit rate 0: the codec's own."""
    layout = "mono" if samples.shape[0] == 1 else "stereo"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, layout=layout)
        if bit_rate:
            stream.bit_rate = bit_rate
        for frame in frames_of(samples, rate, layout):
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def frames_of(samples: npt.NDArray[np.int16], rate: int, layout: str) -> Iterator[av.AudioFrame]:
    """Frames of a second."""
    for start in range(0, samples.shape[1], rate):
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[:, start : start + rate]), "s16p", layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
        yield frame


def write_long(path: Path, hours: float) -> Path:
    """Ten minutes of MP3 frames over and over, without any header: the kind that has no index."""
    once = write(path.with_name("once.mp3"), "libmp3lame", 16_000, syllables(600, 16_000, 1))
    with av.open(str(once)) as container:
        frames = b"".join(bytes(packet) for packet in container.demux() if packet.size)
    with path.open("wb") as out:
        for _ in range(round(hours * 6)):
            out.write(frames)
    return path


if __name__ == "__main__":
    main()
