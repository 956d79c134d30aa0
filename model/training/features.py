"""Features computed once and kept on disk: every epoch reads them instead of the audio."""

from __future__ import annotations

import json
import wave
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import FunAsrNanoFeatureExtractor

from funasr_beam.model.training.errors import TrainingError
from funasr_beam.model.training.manifest import Utterance

SAMPLE_RATE = 16_000
SAMPLE_SCALE = 32_768.0
FEATURE_SIZE = 560
FEATURES_NAME, INDEX_NAME = "features.f16", "features.json"


class FeatureStore:
    """The features of a list of utterances, memory-mapped: `store[i]` is (frames, 560) float16."""

    def __init__(self, folder: Path) -> None:
        index = json.loads((folder / INDEX_NAME).read_text(encoding="utf-8"))
        self.ends = np.array(index["ends"], dtype=np.int64)
        self.utterances = [_from_json(item) for item in index["utterances"]]
        self.data = np.memmap(folder / FEATURES_NAME, dtype=np.float16, mode="r").reshape(-1, FEATURE_SIZE)
        self.lengths = np.diff(self.ends, prepend=0)

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, index: int) -> NDArray[np.float16]:
        end = self.ends[index]
        return self.data[end - self.lengths[index] : end]


def build_features(utterances: Sequence[Utterance], folder: Path, threads: int = 2) -> FeatureStore:
    """The store of these utterances in a folder; made now unless it is there."""
    if not (folder / INDEX_NAME).exists():
        folder.mkdir(parents=True, exist_ok=True)
        ends, total = [], 0
        with ThreadPoolExecutor(threads) as pool, (folder / FEATURES_NAME).open("wb") as out:
            for features in pool.map(extract, utterances):
                out.write(features.tobytes())
                total += len(features)
                ends.append(total)
        index = {"ends": ends, "utterances": [asdict(u) | {"audio": str(u.audio)} for u in utterances]}
        partial = folder / "features.tmp"
        partial.write_text(json.dumps(index, ensure_ascii=False), encoding="utf-8")
        partial.rename(folder / INDEX_NAME)
    return FeatureStore(folder)


def extract(utterance: Utterance) -> NDArray[np.float16]:
    """(frames, 560) features of an utterance, exactly as the checkpoint's feature extractor computes them."""
    extractor = FunAsrNanoFeatureExtractor()
    samples = torch.from_numpy(read_samples(utterance))
    stacked = extractor._apply_lfr(extractor._extract_fbank_features(samples))
    return np.asarray(stacked.numpy(), dtype=np.float16)


def read_samples(utterance: Utterance) -> NDArray[np.float32]:
    """The samples of an utterance in [-1, 1].

    Raises:
        TrainingError: the file is not 16-bit mono WAV at 16 kHz.
    """
    with wave.open(str(utterance.audio), "rb") as audio:
        if (audio.getnchannels(), audio.getsampwidth(), audio.getframerate()) != (1, 2, SAMPLE_RATE):
            raise TrainingError(f"{utterance.audio}: training reads 16-bit mono WAV at {SAMPLE_RATE} Hz")
        audio.setpos(round(utterance.offset_s * SAMPLE_RATE))
        data = audio.readframes(round(utterance.duration_s * SAMPLE_RATE))
    return np.frombuffer(data, dtype="<i2").astype(np.float32) / np.float32(SAMPLE_SCALE)


def _from_json(item: dict[str, object]) -> Utterance:
    words = item["words"]
    fields = {**item, "audio": Path(str(item["audio"])), "words": tuple((w, s, e) for w, s, e in words)}  # type: ignore[attr-defined]
    return Utterance(**fields)  # type: ignore[arg-type]
