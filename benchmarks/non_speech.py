"""What the whole pipeline writes where nobody speaks: 200 clips of silence, tones, hold music, noise, DTMF and ringing.

    python -m benchmarks.non_speech [--count 200] [--store]

Once without hints, once with hotwords and context, which a model likes to repeat in silence. Held-out speech goes the
same way, clean and noisy, and must come out without flags. `--store` keeps the result in
benchmarks/results/non_speech.json.
"""

import argparse
import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from benchmarks.demo_pipeline import write_wav
from benchmarks.hardware import describe_machine
from benchmarks.non_speech_clips import KINDS, make_clips
from funasr_beam.model.demo_speech.channel import CLEAN, Channel
from funasr_beam.model.demo_speech.recording import Recipe, render
from funasr_beam.pipeline.cli import main as funasr_beam

RESULT = Path(__file__).parent / "results" / "non_speech.json"
HINTS = ("--hotword", "Fun-ASR", "--hotword", "Anna Brown", "--hotword", "退款", "--context", "a call about an invoice")
SPEECH = {"speech, clean": CLEAN, "speech, phone 5 dB": Channel(noise_db=5.0, phone=True)}


@dataclass(frozen=True)
class Count:
    """Of clips of one kind."""

    clips: int = 0
    with_segments: int = 0  # the VAD took something for speech
    with_text: int = 0
    with_unflagged_text: int = 0
    segments: int = 0
    flagged_segments: int = 0

    def add(self, segments: Sequence[dict[str, object]]) -> "Count":
        """With one more clip."""
        texts = [segment for segment in segments if segment["text"]]
        open_flags = [[flag for flag in segment["flags"] if not flag.endswith("_repaired")] for segment in segments]  # type: ignore[attr-defined]
        unflagged = any(segment["text"] and not flags for segment, flags in zip(segments, open_flags, strict=True))
        return Count(
            self.clips + 1,
            self.with_segments + bool(segments),
            self.with_text + bool(texts),
            self.with_unflagged_text + unflagged,
            self.segments + len(segments),
            self.flagged_segments + sum(map(bool, open_flags)),
        )


def main() -> int:
    """Make the clips, run the command, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200, help="clips without speech")
    parser.add_argument("--speech", type=int, default=10, help="recordings of speech of each language and channel")
    parser.add_argument("--store", action="store_true", help="keep the result")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        counts = count_text(Path(folder), arguments.count, arguments.speech)
    print(table(counts))
    if arguments.store:
        stored = {run: {kind: asdict(count) for kind, count in kinds.items()} for run, kinds in counts.items()}
        content = {"machine": describe_machine(), "model": "demo", "runs": stored}
        RESULT.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return 0


def count_text(folder: Path, clips: int, speech: int = 0) -> dict[str, dict[str, Count]]:
    """Counts by run (with hints or without) and kind of clip."""
    kinds = {clip.name: clip.kind for clip in make_clips(clips)}
    for clip in make_clips(clips):
        write_wav(_path(folder, clip.name), clip.samples)
    kinds |= write_speech(folder, speech)
    runs = {"without hints": (), "with hotwords and context": HINTS}
    return {name: run(folder, kinds, name, hints) for name, hints in runs.items()}


def run(folder: Path, kinds: dict[str, str], name: str, hints: Sequence[str]) -> dict[str, Count]:
    """Counts by kind after one run of the command."""
    output = folder / name
    code = funasr_beam(
        ["transcribe", str(folder / "in"), "--output", str(output), "--model", "demo", "--max-failed", "100%", *hints]
    )
    if code != 0:
        raise SystemExit(code)
    segments: dict[str, list[dict[str, object]]] = {clip: [] for clip in kinds}
    recordings = pq.read_table(output / "recordings", columns=["recording_id", "uri"]).to_pylist()
    names = {row["recording_id"]: Path(row["uri"]).stem for row in recordings}
    for row in pq.read_table(output / "segments", columns=["recording_id", "text", "flags"]).to_pylist():
        segments[names[row["recording_id"]]].append(row)
    counts = {kind: Count() for kind in (*KINDS, *SPEECH)}
    for clip, kind in kinds.items():
        counts[kind] = counts[kind].add(segments[clip])
    return {kind: count for kind, count in counts.items() if count.clips}


def write_speech(folder: Path, count: int) -> dict[str, str]:
    """Write held-out recordings; gives each one's name with its kind."""
    kinds = {}
    for kind, channel in SPEECH.items():
        for language in ("en", "zh"):
            for place in range(count):
                name = f"{language}-{kind}-{place}".replace(" ", "-").replace(",", "")
                recipe = Recipe(language=language, split="heldout", sentences=4, channel=channel)
                write_wav(_path(folder, name), render(recipe, f"guard/{name}").samples)
                kinds[name] = kind
    return kinds


def table(counts: dict[str, dict[str, Count]]) -> str:
    """The counts as a Markdown table."""
    lines = [
        "| run | kind | clips | VAD found something | text | text without a flag | segments | flagged |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for run_name, kinds in counts.items():
        no_speech = [count for kind, count in kinds.items() if kind in KINDS]
        total = Count(*np.sum([list(asdict(count).values()) for count in no_speech], axis=0).tolist())
        rows = [*kinds.items(), ("all without speech", total)]
        for kind, count in rows:
            lines.append(
                f"| {run_name} | {kind} | " + " | ".join(str(value) for value in asdict(count).values()) + " |"
            )
    return "\n".join(lines)


def _path(folder: Path, name: str) -> Path:
    (folder / "in").mkdir(parents=True, exist_ok=True)
    return folder / "in" / f"{name}.wav"


if __name__ == "__main__":
    raise SystemExit(main())
