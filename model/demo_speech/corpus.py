"""A training corpus of synthetic speech, written as the manifest and audio that `funasr_beam.model.training` reads."""

from __future__ import annotations

import json
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from random import Random

import numpy as np

from funasr_beam.model.demo_speech.channel import SAMPLE_RATE, Channel
from funasr_beam.model.demo_speech.recording import Recipe, SyntheticRecording, render
from funasr_beam.model.demo_speech.sentences import LANGUAGES, Split

PER_SHARD = 500


@dataclass(frozen=True)
class CorpusRecipe:
    """How much to write, and of what.

    Attributes:
        hours: of audio, about.
        longest_s: longest utterance.
        split: which texts and voices.
        phone: share of utterances on 8 kHz mu-law with noise.
        noisy: share of the others that have some noise.
        fragments: share of sentences cut to a part, so that a model cannot lean on how sentences go.
        seed: another seed, another corpus.
    """

    hours: float = 40.0
    longest_s: float = 12.0
    split: Split = "train"
    phone: float = 0.4
    noisy: float = 0.3
    fragments: float = 0.15
    seed: int = 0


def write_corpus(recipe: CorpusRecipe, folder: Path, processes: int = 2) -> Iterator[float]:
    """Write shards until the hours are reached; yields the hours written so far. Shards that exist are kept.

    Each shard is one WAV file and one JSON lines manifest beside it, written last.
    """
    folder.mkdir(parents=True, exist_ok=True)
    hours, shard = 0.0, 0
    with get_context("spawn").Pool(processes, maxtasksperchild=1) as pool:
        while hours < recipe.hours:
            jobs = [(recipe, folder, shard + offset) for offset in range(2 * processes)]
            shard += len(jobs)
            for seconds in pool.imap(_write_shard, jobs):
                hours += seconds / 3600
                yield hours


def _write_shard(job: tuple[CorpusRecipe, Path, int]) -> float:
    recipe, folder, shard = job
    manifest = folder / f"{recipe.split}-{shard:04d}.jsonl"
    if not manifest.exists():
        audio = manifest.with_suffix(".wav")
        lines = _write_audio(recipe, audio, shard)
        partial = manifest.with_suffix(".tmp")
        partial.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
        partial.rename(manifest)
    return float(sum(json.loads(line)["duration"] for line in manifest.read_text(encoding="utf-8").splitlines()))


def _write_audio(recipe: CorpusRecipe, path: Path, shard: int) -> list[dict[str, object]]:
    """Render the utterances of a shard into one WAV file; their manifest lines."""
    lines: list[dict[str, object]] = []
    position = 0
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(SAMPLE_RATE)
        for index in range(PER_SHARD):
            recording = utterance(recipe, shard * PER_SHARD + index)
            out.writeframes(np.round(recording.samples * 32767).astype("<i2").tobytes())
            lines.append(_line(recording, path.name, position / SAMPLE_RATE))
            position += len(recording.samples)
    return lines


def utterance(recipe: CorpusRecipe, index: int) -> SyntheticRecording:
    """The utterance number `index` of a corpus: one to several sentences, up to a length drawn for it."""
    random = Random(f"{recipe.seed}/{index}")
    target_s = min(recipe.longest_s, random.uniform(1.5, 1.3 * recipe.longest_s))
    drawn = Recipe(
        language=LANGUAGES[index % len(LANGUAGES)],
        split=recipe.split,
        sentences=12,
        longest_s=target_s,
        pause_s=random.choice([(0.1, 0.4), (0.2, 1.0)]),
        edge_s=(0.0, 0.5),
        speakers=random.choice([1, 1, 2]),
        channel=draw_channel(recipe, random),
        fragments=random.choice([0.0, 2 * recipe.fragments]),
    )
    return render(drawn, f"{recipe.seed}/{index}")


def draw_channel(recipe: CorpusRecipe, random: Random) -> Channel:
    """A channel as training meets it: any level, often a telephone, often some noise."""
    phone = random.random() < recipe.phone
    noise_db = random.uniform(8, 30) if phone else (random.uniform(12, 40) if random.random() < recipe.noisy else None)
    return Channel(random.uniform(-25, 0), noise_db, random.random() < 0.5, phone)


def _line(recording: SyntheticRecording, audio: str, offset_s: float) -> dict[str, object]:
    words = [[word.word, round(word.start_s, 3), round(word.end_s, 3)] for word in recording.words]
    return {
        "audio": audio,
        "offset": round(offset_s, 6),
        "duration": recording.duration_s,
        "language": recording.language,
        "text": recording.text,
        "words": words,
    }
