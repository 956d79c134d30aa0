"""What training reads: JSON lines manifests that name audio, text and language, and word times where they are known."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from funasr_beam.model.training.errors import TrainingError


@dataclass(frozen=True)
class Utterance:
    """A stretch of an audio file and what is said in it; `words` holds (word, start_s, end_s) or is empty."""

    audio: Path
    offset_s: float
    duration_s: float
    language: str
    text: str
    words: tuple[tuple[str, float, float], ...] = ()


def read_manifests(folder: Path) -> list[Utterance]:
    """Every utterance of the `*.jsonl` files of a folder, in the order of their names.

    A line is `{"audio": path, "offset": s, "duration": s, "language": "en", "text": "a", "words": [["a", s, s]]}`;
    `offset` (default 0) and `words` may be left out, and a relative path is relative to the manifest.


    Raises:
        TrainingError: no manifest, or a line that is not as described.
    """
    manifests = sorted(folder.glob("*.jsonl"))
    if not manifests:
        raise TrainingError(f"{folder} holds no *.jsonl manifest")
    return [utterance for manifest in manifests for utterance in _read(manifest)]


def _read(manifest: Path) -> list[Utterance]:
    utterances = []
    for number, line in enumerate(manifest.read_text(encoding="utf-8").splitlines(), 1):
        try:
            utterances.append(_utterance(json.loads(line), manifest.parent))
        except (ValueError, KeyError, TypeError) as error:
            raise TrainingError(f"{manifest}, line {number}: {type(error).__name__} {error}") from error
    return utterances


def _utterance(line: dict[str, object], folder: Path) -> Utterance:
    words = line.get("words") or []
    if not isinstance(words, list):
        raise TypeError("words must be a list of [word, start, end]")
    return Utterance(
        audio=folder / str(line["audio"]),
        offset_s=float(str(line.get("offset", 0))),
        duration_s=float(str(line["duration"])),
        language=str(line["language"]),
        text=str(line["text"]),
        words=tuple((str(word), float(start), float(end)) for word, start, end in words),
    )
