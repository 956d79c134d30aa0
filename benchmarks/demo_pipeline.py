"""Score the demo checkpoint through the whole pipeline: decode, VAD, cut, recognise, ITN off, tables.

    python -m benchmarks.demo_pipeline [--count 100] [--store]

Held-out sentences and held-out voices, recordings of several sentences with pauses; clean, and 8 kHz mu-law with noise
at 15 dB. Prints error rates and the errors of word times against the generator's own times; `--store` keeps them in
benchmarks/results/demo_pipeline.json.
"""

import argparse
import json
import tempfile
import wave
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

import jiwer
import numpy as np
import pyarrow.parquet as pq

from benchmarks.hardware import describe_machine
from funasr_beam.model.demo_speech.channel import CLEAN, PHONE, Channel
from funasr_beam.model.demo_speech.recording import Recipe, SyntheticRecording, TimedWord, render
from funasr_beam.pipeline.cli import main as funasr_beam

RESULT = Path(__file__).parent / "results" / "demo_pipeline.json"
CHANNELS: dict[str, Channel] = {"clean": CLEAN, "phone": PHONE}
LANGUAGES = ("en", "zh")


@dataclass(frozen=True)
class Score:
    """One line of the result."""

    recordings: int
    error_rate: float  # WER for English, CER for Mandarin; percent
    start_median_ms: float
    start_p95_ms: float
    end_median_ms: float
    end_p95_ms: float
    timed_share: float  # of the words that were right, percent


def main() -> int:
    """Make the sets, run the command, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100, help="recordings of each language and channel")
    parser.add_argument("--model", default="demo")
    parser.add_argument("--store", action="store_true", help="keep the result")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        scores = score_model(Path(folder), arguments.count, arguments.model)
    print(table(scores))
    if arguments.store:
        content = {"machine": describe_machine(), "scores": {name: vars(score) for name, score in scores.items()}}
        RESULT.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return 0


def score_model(folder: Path, count: int, model: str = "demo") -> dict[str, Score]:
    """Scores by set, such as `en clean`."""
    truth = dict(write_sets(folder / "in", count))
    output = folder / "out"
    command = ["transcribe", str(folder / "in/manifest.csv"), "--output", str(output), "--model", model]
    code = funasr_beam([*command, "--itn", "none"])
    if code != 0:
        raise SystemExit(code)
    heard = read_words(output)
    sets = {
        name: [key for key in truth if key.startswith(name)] for name in sorted({k.rsplit(" ", 1)[0] for k in truth})
    }
    return {name: score([truth[key] for key in keys], [heard[key] for key in keys]) for name, keys in sets.items()}


def write_sets(folder: Path, count: int) -> Iterator[tuple[str, SyntheticRecording]]:
    """Write the recordings and their manifest; gives each one's id with what is in it."""
    folder.mkdir(parents=True)
    with (folder / "manifest.csv").open("w", encoding="utf-8") as manifest:
        manifest.write("uri,id,language\n")
        for language in LANGUAGES:
            for name, channel in CHANNELS.items():
                for place in range(count):
                    key = f"{language} {name} {place}"
                    recipe = Recipe(language=language, split="heldout", sentences=4, channel=channel)
                    recording = render(recipe, f"score/{key}")
                    write_wav(folder / f"{language}-{name}-{place}.wav", recording.samples)
                    manifest.write(f"{language}-{name}-{place}.wav,{key},{language}\n")
                    yield key, recording


def write_wav(path: Path, samples: np.ndarray) -> None:
    """Write mono float samples as 16 kHz int16."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(np.round(np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())


def read_words(output: Path) -> dict[str, list[TimedWord]]:
    """What the tables say of every recording; words without a time are there with NaN."""
    words: dict[str, list[TimedWord]] = {
        row: [] for row in pq.read_table(output / "recordings").column("recording_id").to_pylist()
    }
    segments = pq.read_table(output / "segments").to_pylist()
    for segment in sorted(segments, key=lambda row: row["start"]):
        if segment["words"] is None:
            plain = split_text(segment["text"] or "")
            words[segment["recording_id"]] += [TimedWord(word, float("nan"), float("nan")) for word in plain]
        else:
            found = [TimedWord(word["word"], word["start"], word["end"]) for word in segment["words"]]
            words[segment["recording_id"]] += found
    return words


def split_text(text: str) -> list[str]:
    """English words, Mandarin characters."""
    return text.split() if text.isascii() else list(text.replace(" ", ""))


def score(truth: Sequence[SyntheticRecording], heard: Sequence[Sequence[TimedWord]]) -> Score:
    """Error rate over all words, and time errors over those that are right."""
    references = [" ".join(word.word for word in recording.words) for recording in truth]
    hypotheses = [" ".join(word.word for word in words) for words in heard]
    errors = np.array(
        [pair for recording, words in zip(truth, heard, strict=True) for pair in time_errors(recording.words, words)]
    ).reshape(-1, 2)
    timed = errors[~np.isnan(errors[:, 0])]
    if not len(timed):
        timed = np.full((1, 2), np.nan)
    return Score(
        len(truth),
        100 * jiwer.wer(references, hypotheses),
        float(np.median(timed[:, 0])),
        float(np.percentile(timed[:, 0], 95)),
        float(np.median(timed[:, 1])),
        float(np.percentile(timed[:, 1], 95)),
        100 * len(timed) / max(len(errors), 1),
    )


def time_errors(truth: Sequence[TimedWord], heard: Sequence[TimedWord]) -> Iterator[tuple[float, float]]:
    """Absolute errors of start and end (ms) of each word that was heard right."""
    blocks = SequenceMatcher(
        None, [word.word for word in truth], [word.word for word in heard], autojunk=False
    ).get_matching_blocks()
    for block in blocks:
        for offset in range(block.size):
            said, found = truth[block.a + offset], heard[block.b + offset]
            yield 1000 * abs(said.start_s - found.start_s), 1000 * abs(said.end_s - found.end_s)


def table(scores: dict[str, Score]) -> str:
    """The scores as a Markdown table."""
    lines = [
        "| set | recordings | WER or CER | start, median / p95 | end, median / p95 |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, line in scores.items():
        lines.append(
            f"| {name} | {line.recordings} | {line.error_rate:.1f} % "
            f"| {line.start_median_ms:.0f} / {line.start_p95_ms:.0f} ms "
            f"| {line.end_median_ms:.0f} / {line.end_p95_ms:.0f} ms |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
