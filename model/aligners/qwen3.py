"""Forced alignment with Qwen3-ForcedAligner: 11 languages, a grid of 80 ms, up to three minutes."""

import bisect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import Qwen3ASRForTokenClassification, Qwen3ASRProcessor
from transformers.models.qwen3_asr.processing_qwen3_asr import LANGUAGE_CODE_TO_NAME

from funasr_beam.model.aligners.base import Alignment, AlignTask, Source, score_of
from funasr_beam.model.aligners.support import QWEN3_LANGUAGES
from funasr_beam.model.devices import pick_device
from funasr_beam.model.recognizers.audio_llm import stack
from funasr_beam.model.recognizers.loading import load_complete, load_processor, lower_precision
from funasr_beam.model.recognizers.precision import llm_dtype
from funasr_beam.model.records import SAMPLE_RATE, Seconds, Word, as_waveform
from funasr_beam.model.text import WordSpan, word_spans
from funasr_beam.model.turns import Turn

_LONGEST_S = 180.0
_LEAST_ORDERED = 0.9
_LANGUAGE_NAMES = {code: LANGUAGE_CODE_TO_NAME[code] for code in QWEN3_LANGUAGES}


@dataclass(frozen=True)
class Piece:
    """What the model takes as a word, and the places in the text that its characters come from."""

    text: str
    places: tuple[int, ...]


@dataclass(frozen=True)
class Stretch:
    """When neighbouring pieces, `first` up to not including `last`, were said."""

    first: int
    last: int
    start_s: Seconds
    end_s: Seconds


class Qwen3Aligner:
    """Aligns whole texts in one pass: the model puts a start and an end behind every word."""

    def __init__(self, folder: Path, device: str) -> None:
        """Load the model: in bfloat16 on a GPU that has it, else in float32.

        Raises:
            funasr_beam.model.errors.RunError: it cannot be loaded.
        """
        self._device = pick_device(device)
        self._dtype = llm_dtype("auto", self._device)
        self._processor = load_processor(folder, Qwen3ASRProcessor)
        lower = lower_precision if self._dtype == torch.bfloat16 else None
        self._model = load_complete(Qwen3ASRForTokenClassification, folder, lower).to(self._device)
        self._grid_s = self._processor.timestamp_segment_time / 1000
        self._turn = Turn(on_gpu=self.on_gpu)

    @property
    def source(self) -> Source:
        """What stands in the rows as the source of its times."""
        return "qwen3"

    @property
    def longest_s(self) -> Seconds:
        """The longest sound that it was trained for."""
        return _LONGEST_S

    @property
    def on_gpu(self) -> bool:
        """Whether it computes on a GPU."""
        return self._device.type == "cuda"

    def align(self, tasks: Sequence[AlignTask]) -> list[Alignment | None]:
        """One alignment per task, in order; None where the text has no word, or its times are in no order.

        Raises:
            RuntimeError: the model failed, out of memory included; a smaller batch may work.
        """
        pieces = [self._pieces(task) for task in tasks]
        places = [place for place, own in enumerate(pieces) if own]
        found: list[Alignment | None] = [None] * len(tasks)
        if places:
            marks = self._mark([tasks[place] for place in places], [pieces[place] for place in places])
            for place, (classes, posteriors) in zip(places, marks, strict=True):
                found[place] = self._alignment(tasks[place], pieces[place], classes, posteriors)
        return found

    def _pieces(self, task: AlignTask) -> list[Piece]:
        """The words as the model was trained on them, found again in the text."""
        words = self._processor.split_words_for_alignment(task.text, _LANGUAGE_NAMES.get(task.language or ""))
        return list(_locate(task.text, words))

    def _mark(self, tasks: Sequence[AlignTask], pieces: Sequence[Sequence[Piece]]) -> list[tuple[Any, Any]]:
        """Per task the class of each time mark and its posterior; start and end of each piece in turn."""
        inputs = [self._prepare(task, own) for task, own in zip(tasks, pieces, strict=True)]
        longest = max(item["input_ids"].shape[1] for item in inputs)
        pad = self._processor.tokenizer.pad_token_id
        ids = torch.cat([_pad_left(item["input_ids"], longest, pad) for item in inputs])
        mask = torch.cat([_pad_left(item["attention_mask"], longest, 0) for item in inputs])
        with torch.inference_mode(), self._turn:
            logits = self._model(
                input_ids=ids.to(self._device),
                attention_mask=mask.to(self._device),
                position_ids=(mask.cumsum(-1) - 1).clamp(min=0).to(self._device),
                input_features=stack([item["input_features"] for item in inputs]).to(self._device, self._dtype),
                input_features_mask=stack([item["input_features_mask"] for item in inputs]).to(self._device),
            ).logits
            marks = (ids == self._model.config.timestamp_token_id).to(logits.device)
            posteriors = [row[own].float().softmax(-1).cpu() for row, own in zip(logits, marks, strict=True)]
        return [(row.argmax(-1), near(row)) for row in posteriors]

    def _prepare(self, task: AlignTask, pieces: Sequence[Piece]) -> Any:
        """The model's inputs for one task, without padding."""
        wave = as_waveform(task.samples)
        content = [{"type": "audio", "audio": wave}, *({"type": "text", "text": piece.text} for piece in pieces)]
        prompt = self._processor.apply_chat_template([{"role": "user", "content": content}], tokenize=False)
        return self._processor(text=[prompt], audio=[wave], sampling_rate=SAMPLE_RATE, return_tensors="pt")

    def _alignment(self, task: AlignTask, pieces: Sequence[Piece], classes: Any, posteriors: Any) -> Alignment | None:
        """Times of the text's words; None where the model put too much out of order."""
        edges = (classes * self._grid_s).clamp(max=task.duration_s).tolist()
        if len(edges) != 2 * len(pieces):
            raise RuntimeError(f"{len(edges)} time marks for {len(pieces)} words: not the template of this aligner")
        stretches = settle(edges, self._grid_s, task.duration_s)
        words = tuple(_words(task.text, pieces, stretches, posteriors.view(-1, 2).mean(-1).tolist()))
        return Alignment(words, score_of(words)) if words else None


def near(posteriors: Any) -> Any:
    """How sure the model is of each mark, a neighbouring class counted in: 80 ms is not where people would differ.

    Args:
        posteriors: (marks, classes).

    Returns:
        (marks,) probabilities.
    """
    padded = torch.nn.functional.pad(posteriors, (1, 1))
    best = posteriors.argmax(-1, keepdim=True)
    return (padded.gather(1, best) + padded.gather(1, best + 1) + padded.gather(1, best + 2))[:, 0]


def settle(edges: Sequence[Seconds], grid_s: Seconds, duration_s: Seconds) -> list[Stretch]:
    """Ordered, disjoint stretches with a length, of one piece each or of several that cannot be told apart.

    Nothing is interpolated: a piece whose marks are out of order, or that has no length where there is no room for one
    step of the grid, goes with the piece before it, up to the next.

    Args:
        edges: start and end of each piece in turn, as the model put them.
        grid_s: its step.
        duration_s: of the sound.

    Returns:
        Stretches that cover all pieces; none where more than a tenth of the marks are out of order.
    """
    kept = _longest_ordered(edges)
    if len(kept) < _LEAST_ORDERED * len(edges):
        return []
    ends: dict[int, Seconds] = {}
    next_start_s = duration_s
    for place in reversed([place for place in range(len(edges) // 2) if {2 * place, 2 * place + 1} <= kept]):
        start_s, end_s = edges[2 * place], edges[2 * place + 1]
        end_s = max(end_s, min(start_s + grid_s, next_start_s))
        if end_s > start_s:
            ends[place], next_start_s = end_s, start_s
    return list(_stretches(edges, dict(sorted(ends.items())), duration_s))


def _stretches(edges: Sequence[Seconds], ends: Mapping[int, Seconds], duration_s: Seconds) -> Iterator[Stretch]:
    """Pieces with times of their own, each with those after it that have none; the first also with those before it."""
    firsts = list(ends)
    borders = [*firsts[1:], len(edges) // 2][: len(firsts)]
    for index, (first, border) in enumerate(zip(firsts, borders, strict=True)):
        next_start_s = edges[2 * border] if border < len(edges) // 2 else duration_s
        end_s = ends[first] if border == first + 1 else next_start_s
        has_lead = index == 0 and first > 0
        yield Stretch(0 if has_lead else first, border, 0.0 if has_lead else edges[2 * first], end_s)


def _longest_ordered(values: Sequence[float]) -> set[int]:
    """Places of a longest subsequence that never falls."""
    tails: list[float] = []
    last_at: list[int] = []
    before: list[int] = []
    for place, value in enumerate(values):
        length = bisect.bisect_right(tails, value)
        before.append(last_at[length - 1] if length else -1)
        tails[length : length + 1] = [value]
        last_at[length : length + 1] = [place]
    place, found = (last_at[-1] if last_at else -1), set[int]()
    while place >= 0:
        found.add(place)
        place = before[place]
    return found


def _words(
    text: str, pieces: Sequence[Piece], stretches: Sequence[Stretch], confidences: Sequence[float]
) -> Iterator[Word]:
    """The text's words with their times; words that share a stretch are one."""
    spans = word_spans(text)
    owners = [
        _owners(spans, [at for piece in pieces[item.first : item.last] for at in piece.places]) for item in stretches
    ]
    for first, last in _partition(len(spans), owners):
        own = [item for item, owner in zip(stretches, owners, strict=True) if owner and first <= owner[0] < last]
        if own:
            sure = confidences[own[0].first : own[-1].last]
            said = text[spans[first].start : spans[last - 1].end]
            yield Word(said, own[0].start_s, own[-1].end_s, sum(sure) / len(sure))


def _owners(spans: Sequence[WordSpan], places: Sequence[int]) -> list[int]:
    """The words in which characters stand."""
    return [number for number, span in enumerate(spans) if any(span.start <= at < span.end for at in places)]


def _partition(num_words: int, owners: Sequence[Sequence[int]]) -> Iterator[tuple[int, int]]:
    """Ranges of words that nothing joins; a word that nothing times goes with the one before it."""
    timed = {word for owner in owners for word in owner}
    joined = {word for owner in owners for word in range(owner[0] + 1, owner[-1] + 1) if owner}
    first = 0
    for word in range(1, num_words + 1):
        is_border = word == num_words or (
            word in timed and word not in joined and bool(timed & set(range(first, word)))
        )
        if is_border:
            yield first, word
            first = word


def _locate(text: str, words: Sequence[str]) -> Iterator[Piece]:
    """Where the characters of the model's words stand in the text; it drops characters, but adds none."""
    place = 0
    for word in words:
        places = []
        for char in word:
            place = text.index(char, place)
            places.append(place)
            place += 1
        yield Piece(word, tuple(places))


def _pad_left(tokens: torch.Tensor, length: int, value: int) -> torch.Tensor:
    return torch.nn.functional.pad(tokens, (length - tokens.shape[1], 0), value=value)
