"""Forced alignment with a wav2vec2-style CTC model of letters, from transformers' native classes."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import Wav2Vec2FeatureExtractor, Wav2Vec2ForCTC

from funasr_beam.model.aligners.base import Alignment, AlignTask, Source, score_of
from funasr_beam.model.aligners.preparation import WILDCARD, Alphabet, Target, prepare
from funasr_beam.model.alignment import TokenSpan, WordTime, align_tokens, stretch_words
from funasr_beam.model.devices import pick_device
from funasr_beam.model.errors import RunError
from funasr_beam.model.recognizers.loading import load_complete
from funasr_beam.model.recognizers.local_model import MIN_SAMPLES
from funasr_beam.model.records import SAMPLE_RATE, Seconds, Word, as_waveform
from funasr_beam.model.text import word_spans
from funasr_beam.model.turns import Turn

_SEPARATOR = "|"
_BLANKS = ("<blank>", "<pad>", "[PAD]")
_LATIN = frozenset("abcdefghijklmnopqrstuvwxyz'")
_LEAST_KNOWN = 0.5
"""Share of words of which a letter must be known; else most of a text would be aligned by wildcards."""

_MAX_TAIL_S = 0.12
"""Such models mark a frame at the beginning of a letter and say blank for the rest of it. A convention, not measured:
benchmarks/alignment.py tells by `end_bias_ms` whether it suits a model."""


@dataclass(frozen=True)
class Letters:
    """What the outputs of a model mean."""

    ids: Mapping[str, int]  # of single letters
    blank: int
    separator: int | None  # between words

    @property
    def alphabet(self) -> Alphabet:
        """The letters for text preparation; 27 Latin letters and no others mean romanised text."""
        return Alphabet(frozenset(self.ids), frozenset(map(str.lower, self.ids)) <= _LATIN)


@dataclass(frozen=True)
class Frames:
    """How frames of the model become seconds."""

    kernels: Sequence[int]
    strides: Sequence[int]

    def count(self, samples: int) -> int:
        """How many frames the convolutions make of so many samples."""
        for kernel, stride in zip(self.kernels, self.strides, strict=True):
            samples = (samples - kernel) // stride + 1
        return max(samples, 0)

    @property
    def frame_s(self) -> Seconds:
        """Seconds between two frames."""
        return math.prod(self.strides) / SAMPLE_RATE

    @property
    def offset_s(self) -> Seconds:
        """When the first frame begins, if it stands for the middle of what it hears."""
        field, jump = 1, 1
        for kernel, stride in zip(self.kernels, self.strides, strict=True):
            field, jump = field + (kernel - 1) * jump, jump * stride
        return (field - jump) / 2 / SAMPLE_RATE


class Wav2Vec2Aligner:
    """Aligns texts of any language whose letters, or whose romanisation, the model knows."""

    def __init__(self, folder: Path, device: str) -> None:
        """Load the model in float32.

        Raises:
            RunError: it cannot be loaded, or its vocabulary is none of letters.
        """
        self._device = pick_device(device)
        self._model = load_complete(Wav2Vec2ForCTC, folder).to(self._device)
        self._extractor = Wav2Vec2FeatureExtractor.from_pretrained(folder, local_files_only=True)
        config = self._model.config
        self._letters = read_letters(folder / "vocab.json", config.pad_token_id)
        self._frames = Frames(config.conv_kernel, config.conv_stride)
        # A group norm is computed over time: padding would change every frame of a shorter batch mate.
        self._can_pad = config.feat_extract_norm == "layer"
        self._turn = Turn(on_gpu=self.on_gpu)

    @property
    def source(self) -> Source:
        """What stands in the rows as the source of its times."""
        return "wav2vec2"

    @property
    def longest_s(self) -> Seconds:
        """The longest sound that it takes: attention over 50 frames a second."""
        return 60.0

    @property
    def on_gpu(self) -> bool:
        """Whether it computes on a GPU."""
        return self._device.type == "cuda"

    def align(self, tasks: Sequence[AlignTask]) -> list[Alignment | None]:
        """One alignment per task, in order; None where text and sound do not fit, or too little can be written.

        Raises:
            RuntimeError: the model failed, out of memory included; a smaller batch may work.
        """
        targets = [prepare(task.text, task.language, self._letters.alphabet) for task in tasks]
        scores = self._score_frames(tasks)
        return [self._align(*parts) for parts in zip(tasks, targets, scores, strict=True)]

    def _score_frames(self, tasks: Sequence[AlignTask]) -> list[torch.Tensor]:
        """Log-probabilities on the CPU, (frames, outputs + 1) per task; the last column is that of any letter."""
        if not self._can_pad and len(tasks) > 1:
            return [scores for task in tasks for scores in self._score_frames([task])]
        waves = [self._normalized(task) for task in tasks]
        longest = max(map(len, waves))
        padded = np.stack([np.pad(wave, (0, longest - len(wave))) for wave in waves])
        mask = np.arange(longest)[None, :] < np.array([[len(wave)] for wave in waves])
        with torch.inference_mode(), self._turn:
            logits = self._model(
                torch.from_numpy(padded).to(self._device),
                attention_mask=torch.from_numpy(mask).long().to(self._device) if self._can_pad else None,
            ).logits
            log_probs = logits.float().log_softmax(-1).cpu()
        counts = [self._frames.count(len(task.samples)) for task in tasks]
        return [self._with_wildcard(scores[:count]) for scores, count in zip(log_probs, counts, strict=True)]

    def _normalized(self, task: AlignTask) -> Any:
        """The samples as the model was trained on them, (frames,) float32, at least one window long."""
        wave = np.pad(as_waveform(task.samples), (0, max(0, MIN_SAMPLES - len(task.samples))))
        values = self._extractor(wave, sampling_rate=SAMPLE_RATE, return_tensors="np")["input_values"][0]
        return values.astype(np.float32)

    def _with_wildcard(self, scores: torch.Tensor) -> torch.Tensor:
        """One more column: the probability of whatever is not blank."""
        blank = scores[:, self._letters.blank].exp().clamp(max=1 - 1e-6)
        return torch.cat([scores, torch.log1p(-blank)[:, None]], dim=1)

    def _align(self, task: AlignTask, targets: Sequence[Target], scores: torch.Tensor) -> Alignment | None:
        known = sum(target.is_known for target in targets)
        if not targets or known < _LEAST_KNOWN * len(targets):
            return None
        tokens, owners = self._tokens(targets, wildcard=scores.shape[-1] - 1)
        spans = align_tokens(scores, tokens, self._letters.blank)
        if spans is None:
            return None
        times = [self._time(target, place, spans, owners) for place, target in enumerate(targets)]
        ends = stretch_words(times, _MAX_TAIL_S, task.duration_s)
        words = _words(task.text, targets, ends)
        heard = [word for word, target in zip(words, targets, strict=True) if target.is_known]
        return Alignment(words, score_of(heard)) if all(word.start_s < word.end_s for word in words) else None

    def _tokens(self, targets: Sequence[Target], wildcard: int) -> tuple[list[int], list[int | None]]:
        """The ids of all letters with separators between words, and to which target each belongs."""
        tokens: list[int] = []
        owners: list[int | None] = []
        for place, target in enumerate(targets):
            if target.is_spaced and self._letters.separator is not None:
                tokens.append(self._letters.separator)
                owners.append(None)
            tokens.extend(wildcard if letter == WILDCARD else self._letters.ids[letter] for letter in target.letters)
            owners.extend([place] * len(target.letters))
        return tokens, owners

    def _time(self, target: Target, place: int, spans: Sequence[TokenSpan], owners: Sequence[int | None]) -> WordTime:
        """When a target was said; its confidence is the mean posterior of the frames of its known letters."""
        own = [span for span, owner in zip(spans, owners, strict=True) if owner == place]
        heard = [span for span, letter in zip(own, target.letters, strict=True) if letter != WILDCARD]
        frames = sum(span.last - span.first for span in heard)
        confidence = min(sum(span.posterior_sum for span in heard) / frames, 1.0) if frames else 0.0
        frame_s, offset_s = self._frames.frame_s, self._frames.offset_s
        return WordTime(offset_s + own[0].first * frame_s, offset_s + own[-1].last * frame_s, confidence)


def read_letters(path: Path, pad_token_id: int | None) -> Letters:
    """What the outputs of a model mean, from its vocab.json.

    Raises:
        RunError: there is no such file, it is one of several languages (adapters), or it has no blank.
    """
    if not path.is_file():
        raise RunError(f"{path} is missing: a CTC model of letters has one")
    vocabulary = json.loads(path.read_text(encoding="utf-8"))
    if not all(isinstance(token_id, int) for token_id in vocabulary.values()):
        raise RunError(f"{path} holds several vocabularies: a model with adapters; take one of a single alphabet")
    blank = next((vocabulary[name] for name in _BLANKS if name in vocabulary), pad_token_id)
    letters = {token: place for token, place in vocabulary.items() if len(token) == 1 and token != _SEPARATOR}
    if blank is None or not letters:
        raise RunError(f"{path}: no blank, or no letters; known blanks: {', '.join(_BLANKS)}")
    return Letters({token: place for token, place in letters.items() if place != blank}, blank, vocabulary.get("|"))


def _words(text: str, targets: Sequence[Target], times: Sequence[WordTime]) -> tuple[Word, ...]:
    """The words with their times; those that are one target are one word."""
    spans = word_spans(text)
    return tuple(
        Word(text[spans[target.first].start : spans[target.last - 1].end], time.start_s, time.end_s, time.confidence)
        for target, time in zip(targets, times, strict=True)
    )
