"""The recordings in samples/: made by the generator, the same on every machine with the same espeak-ng and PyAV.

Texts and voices are ones that the demo checkpoint was never trained on.
"""

from __future__ import annotations

import csv
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from funasr_beam.model.demo_speech import encode as media
from funasr_beam.model.demo_speech.channel import CLEAN, PHONE, SAMPLE_RATE, Channel
from funasr_beam.model.demo_speech.encode import Media, encode
from funasr_beam.model.demo_speech.recording import Recipe, SyntheticRecording, render
from funasr_beam.model.demo_speech.sentences import Language

SILENCE_S = 8.0
KEPT_SHARE = 0.6
QUIET = Channel(gain_db=-18.0, noise_db=30.0)
MANIFEST_NAME, REFERENCES_NAME = "manifest.csv", "references.jsonl"


@dataclass(frozen=True)
class Sample:
    """A recording to make: where, of what kind, in which language, and how it is rendered."""

    uri: str
    kind: Media
    language: Language
    sentences: int = 4
    speakers: int = 1
    stereo: bool = False
    channel: Channel = CLEAN
    longest_s: float = 60.0
    kept: float = 1.0

    @property
    def id(self) -> str:
        """A short name: the path without its ending."""
        return self.uri.rsplit(".", 1)[0].replace("/", "-")

    @property
    def recipe(self) -> Recipe:
        """How to render it."""
        return Recipe(
            language=self.language,
            sentences=self.sentences,
            longest_s=self.longest_s,
            speakers=self.speakers,
            stereo=self.stereo,
            channel=self.channel,
        )


SPOKEN = (
    Sample("calls/en-mono.wav", media.WAV, "en", 8),
    Sample("calls/zh-mono.flac", media.FLAC, "zh", 8),
    Sample("calls/en-stereo.wav", media.MULAW, "en", 6, 2, True),
    Sample("calls/zh-stereo.opus", media.OPUS, "zh", 6, 2, True),
    Sample("calls/en-phone.wav", media.MULAW, "en", 5, channel=PHONE),
    Sample("calls/zh-phone.wav", media.MULAW, "zh", 5, channel=PHONE),
    Sample("calls/en.mp3", media.MP3, "en", 5, 2),
    Sample("calls/zh.m4a", media.M4A, "zh", 5, 2),
    Sample("calls/en-quiet.opus", media.OPUS, "en", 5, channel=QUIET),
    Sample("calls/zh-video.mp4", media.MP4, "zh", 4),
    Sample("long/en-12-minutes.mp3", media.MP3_SMALL, "en", 1000, 2, longest_s=720.0),
    Sample("monday/call.mp3", media.MP3, "en", 3),
    Sample("tuesday/call.mp3", media.MP3, "zh", 3),
    Sample("broken/truncated.m4a", media.M4A, "en", 6, kept=KEPT_SHARE),
)
SILENT, EMPTY, NOT_AUDIO = "broken/silence.wav", "broken/empty.wav", "broken/text.wav"


def write_samples(folder: Path) -> list[Path]:
    """Make every sample, the manifest and the references in a folder; the files written, in order."""
    written = [_write_spoken(sample, folder) for sample in SPOKEN]
    rows = [
        (sample.uri, sample.id, sample.language, recording.text if sample.kept == 1 else "")
        for sample, recording in written
    ]
    encode(np.zeros(round(SILENCE_S * SAMPLE_RATE), dtype=np.float32), folder / SILENT, media.MULAW)
    (folder / EMPTY).write_bytes(b"")
    (folder / NOT_AUDIO).write_text("This is a text that somebody saved under the wrong name.\n", encoding="utf-8")
    rows += [(uri, uri.rsplit(".", 1)[0].replace("/", "-"), "en", "") for uri in (SILENT, EMPTY, NOT_AUDIO)]
    _write_manifest(rows, folder / MANIFEST_NAME)
    lines = [json.dumps(reference(sample, recording), ensure_ascii=False) for sample, recording in written]
    (folder / REFERENCES_NAME).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return [folder / row[0] for row in rows] + [folder / MANIFEST_NAME, folder / REFERENCES_NAME]


def reference(sample: Sample, recording: SyntheticRecording) -> dict[str, object]:
    """What is said in a sample and when: turns with their channel, text and words, on the recording's clock."""
    return {
        "uri": sample.uri,
        "id": sample.id,
        "language": sample.language,
        "duration_s": round(recording.duration_s, 3),
        "turns": [
            {
                "channel": turn.speaker if sample.stereo else 0,
                "speaker": turn.speaker,
                "text": turn.text,
                "words": [{key: _short(value) for key, value in asdict(word).items()} for word in turn.words],
            }
            for turn in recording.turns
        ],
    }


def _write_spoken(sample: Sample, folder: Path) -> tuple[Sample, SyntheticRecording]:
    recording = render(sample.recipe, sample.uri)
    path = folder / sample.uri
    encode(recording.samples, path, sample.kind)
    if sample.kept < 1:
        whole = path.read_bytes()
        path.write_bytes(whole[: int(len(whole) * sample.kept)])
    return sample, recording


def _write_manifest(rows: list[tuple[str, str, Language, str]], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(("uri", "id", "language", "reference"))
        writer.writerows(rows)


def _short(value: object) -> object:
    return round(value, 3) if isinstance(value, float) else value
