"""Batches of utterances of like length: padded features with masks, labels and token ranges."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from funasr_beam.model.training.augment import augment
from funasr_beam.model.training.features import FEATURE_SIZE, FeatureStore
from funasr_beam.model.training.labels import IGNORED, frame_labels, frame_ranges, token_spans
from funasr_beam.model.training.manifest import Utterance

PADDING = 16


@dataclass(frozen=True)
class Labels:
    """What is said in an utterance, in tokens: (tokens,), their (tokens, 2) frames, and a token or blank a frame."""

    tokens: NDArray[np.int64]
    ranges: NDArray[np.int64]
    frames: NDArray[np.int64]
    language: str


@dataclass(frozen=True)
class Batch:
    """`features` (batch, frames, 560) float32, `mask` (batch, frames), and the labels of each utterance."""

    features: Tensor
    mask: Tensor
    labels: list[Labels]

    @property
    def lengths(self) -> Tensor:
        """(batch,) frames of each utterance."""
        return self.mask.sum(1)

    def first(self, share: float) -> Batch:
        """The first utterances of the batch, a share of them and at least one."""
        count = max(1, round(share * len(self.labels)))
        return Batch(self.features[:count], self.mask[:count], self.labels[:count])

    def frame_labels(self) -> Tensor:
        """(batch, frames) token or blank of each frame, IGNORED in the padding."""
        return pad([torch.from_numpy(item.frames) for item in self.labels], self.mask.shape[1], IGNORED)


class Dataset:
    """Utterances with features on disk and labels in memory."""

    def __init__(self, store: FeatureStore, tokenizer: PreTrainedTokenizerFast, blank: int) -> None:
        self.store = store
        encoder = WordEncoder(tokenizer)
        self.labels = [
            make_labels(utterance, encoder, int(length), blank)
            for utterance, length in zip(store.utterances, store.lengths, strict=True)
        ]

    def batch(self, indices: Sequence[int], generator: np.random.Generator | None) -> Batch:
        """The utterances as a padded batch, augmented where a generator is given."""
        frames = [np.asarray(self.store[index], dtype=np.float32) for index in indices]
        if generator is not None:
            frames = [augment(item, generator) for item in frames]
        longest = max(len(item) for item in frames)
        longest = longest if generator is None else -(-longest // PADDING) * PADDING
        features = np.zeros((len(frames), longest, FEATURE_SIZE), dtype=np.float32)
        mask = np.zeros((len(frames), longest), dtype=np.int64)
        for row, item in enumerate(frames):
            features[row, : len(item)] = item
            mask[row, : len(item)] = 1
        return Batch(torch.from_numpy(features), torch.from_numpy(mask), [self.labels[index] for index in indices])


class WordEncoder:
    """Tokens of single words, remembered: a corpus has few words and many utterances."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self.tokenizer = tokenizer
        self.known: dict[str, list[int]] = {}

    def __call__(self, word: str) -> list[int]:
        """The tokens of a word."""
        if word not in self.known:
            self.known[word] = self.tokenizer.encode(word, add_special_tokens=False)
        return self.known[word]


def make_labels(utterance: Utterance, encoder: WordEncoder, frames: int, blank: int) -> Labels:
    """The labels of an utterance; without word times its frames are IGNORED and its ranges empty."""
    if not utterance.words:
        tokens = np.array(encoder(utterance.text), dtype=np.int64)
        return Labels(tokens, np.zeros((0, 2), np.int64), np.full(frames, IGNORED, np.int64), utterance.language)
    spans = token_spans([(encoder(word), start, end) for word, start, end in utterance.words])
    tokens = np.array([token for token, _, _ in spans], dtype=np.int64)
    return Labels(tokens, frame_ranges(spans, frames), frame_labels(spans, frames, blank), utterance.language)


def batches(lengths: NDArray[np.int64], batch_frames: int, seed: int) -> Iterator[list[int]]:
    """Endless batches of indices, epoch after epoch, of about `batch_frames` padded frames; the same for a seed.

    Utterances are batched by their length in steps of PADDING, and the batches of a step all have the same size: few
    shapes, so that the matrix kernels made for them are found again (a third of the time on a CPU).
    """
    padded = padded_lengths(lengths)
    epoch = 0
    while True:
        generator = np.random.default_rng((seed, epoch))
        groups: list[list[int]] = []
        for length in np.unique(padded):
            members = generator.permutation(np.flatnonzero(padded == length)).tolist()
            size = min(len(members), max(1, batch_frames // int(length)))
            groups += [members[start : start + size] for start in range(0, len(members) - size + 1, size)]
        for index in generator.permutation(len(groups)):
            yield groups[index]
        epoch += 1


def padded_lengths(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """The lengths rounded up to a multiple of PADDING."""
    return -(-lengths // PADDING) * PADDING


def group(lengths: NDArray[np.int64], order: NDArray[np.int64], batch_frames: int) -> list[list[int]]:
    """The ordered indices cut into batches of at most `batch_frames` padded frames."""
    groups: list[list[int]] = [[]]
    longest = 0
    for index in order.tolist():
        longest = max(longest, int(lengths[index]))
        if groups[-1] and longest * (len(groups[-1]) + 1) > batch_frames:
            groups.append([])
            longest = int(lengths[index])
        groups[-1].append(index)
    return [indices for indices in groups if indices]


def pad(rows: Sequence[Tensor], length: int, value: int) -> Tensor:
    """Rows of integers as one tensor, (rows, length), filled up on the right with `value`."""
    out = torch.full((len(rows), length), value, dtype=torch.long)
    for index, row in enumerate(rows):
        out[index, : len(row)] = row
    return out
