"""An output over recordings that exist, with everything in it that an exporter may stumble over."""

import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from funasr_beam.model.listing import fingerprint_now
from funasr_beam.model.storage import Folder
from funasr_beam.pipeline.export.run import ExportOptions, export
from tests.pipeline.outputs import add_run, recording, segment

RATE = 16_000


@dataclass(frozen=True)
class Made:
    """The output, and the samples of each original by name, (channels, frames)."""

    output: Folder
    samples: dict[str, np.ndarray]
    segments: list[dict]  # those with a text, by recording and time

    @property
    def words(self):
        return [word for row in self.segments for word in row["words"] or ()]


def make_output(root: Path) -> Made:
    """Mono, stereo, two of one base name, a name that is no ASCII; silent, failed and partial ones."""
    samples, recordings, segments = {}, [], []

    def add(path, channels, rows, **more):
        sound = write_wave(root / path, channels, 12.0)
        uri = f"file://{root / path}"
        samples[path] = sound
        shape = {"uri": uri, "duration": 12.0, "sample_rate": RATE, "num_channels": channels, "language": "en"}
        recordings.append(recording(path, fingerprint=fingerprint_now(uri), **{**shape, **more}))
        segments.extend(segment(path, *row, fingerprint=recordings[-1]["fingerprint"], **extra) for *row, extra in rows)

    add("monday/call.wav", 1, [(0.5, 2.0, "hello there", {}), (2.2504, 4.9996, "see you <b>soon</b> & {bye}", {})])
    add("tuesday/call.wav", 2, [(1.0, 2.5, "left side", {}), (1.2, 3.0, "right side", {"channel": 1})])
    add("电话 café's.wav", 1, [(0.0, 3.0, "你 好 吗", {"language": "zh", "confidence": 0.5}), (9.0, 12.0, "再 见", {})])
    add("no words.wav", 1, [(1.0, 2.0, "segment\n times --> only", {"words": None, "timestamp_source": "none"})])
    add("silent.wav", 1, [], status="no_speech")
    holes = [{"channel": 0, "start": 4.0, "end": 5.0, "error_code": "model_error"}]
    failed = {"error_code": "model_error", "confidence": None}
    add("partial.wav", 1, [(0.0, 1.0, "begun", {}), (4.0, 5.0, None, failed)], status="partial", missing=holes)
    recordings.append(recording("broken", "failed", error_code="not_media", error_detail="no media"))
    output = add_run(root / "out", "run1", recordings, segments)
    return Made(output, samples, [row for row in segments if row["text"]])


def run(made, target, name, **more):
    return export(made.output, Folder(str(target)), ExportOptions(name, **more))


def write_wave(path, channels, duration_s):
    path.parent.mkdir(parents=True, exist_ok=True)
    seed = np.random.default_rng(len(path.name) + channels)
    sound = seed.integers(-9000, 9000, (channels, round(duration_s * RATE)), dtype=np.int16)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(sound.T.tobytes())
    return sound
