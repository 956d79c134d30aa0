"""How far word times are off, and whether the score tells texts that were said from texts that were not.

    python -m benchmarks.alignment [--count 60] [--letter-model FOLDER] [--store]

Held-out sentences and voices of the synthetic speech, whose word times are known; clean, and 8 kHz mu-law with
noise at 15 dB. `ctc` is the head of the checkpoint that ships with the project; `wav2vec2` a tiny model of letters that
benchmarks/letter_model.py trains (English only). Each recording is aligned with its own text, with its text after a
quarter of the words were replaced, and with the text of another recording of about the same length.
"""

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

import numpy as np
import torch

from benchmarks.demo_checkpoint import CHANNELS, held_out
from benchmarks.hardware import describe_machine
from funasr_beam.model.aligners.base import Alignment, AlignTask, Source, score_of
from funasr_beam.model.aligners.choice import MIN_SCORES
from funasr_beam.model.aligners.loading import load_aligner
from funasr_beam.model.checkpoint import resolve
from funasr_beam.model.demo_speech.recording import SyntheticRecording
from funasr_beam.model.demo_speech.sentences import LANGUAGES, Language, sentence, words_of
from funasr_beam.model.recognizers.base import RecognizerSettings, Utterance
from funasr_beam.model.recognizers.fun_asr_nano import FunAsrNanoRecognizer

RESULT = Path(__file__).parent / "results" / "alignment.json"
REPLACED = 0.25
KEPT = 0.99
Align = Callable[[Sequence[AlignTask]], Sequence[Alignment | None]]


@dataclass(frozen=True)
class Row:
    """One aligner on one set; times in milliseconds, scores from 0 to 1."""

    recordings: int
    words: int
    aligned: int
    start_median_ms: float
    start_p95_ms: float
    end_median_ms: float
    end_p95_ms: float
    end_bias_ms: float  # median of the signed error: below 0, words end too early
    score_right: tuple[float, float, float]  # 1st, 50th and 99th percentile
    score_replaced: tuple[float, float, float]
    score_other: tuple[float, float, float]
    auroc_replaced: float
    auroc_other: float


def main() -> int:
    """Measure every set, print the table, store it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=60, help="recordings of each language and channel")
    parser.add_argument("--letter-model", type=Path, help="measure this one, which benchmarks/letter_model.py made")
    parser.add_argument("--store", action="store_true", help="keep the result")
    arguments = parser.parse_args()
    aligners: dict[Source, tuple[Align, tuple[Language, ...]]] = {}
    if arguments.letter_model:
        aligners["wav2vec2"] = (load_aligner("wav2vec2", str(arguments.letter_model), "cpu").align, ("en",))
    else:
        aligners["ctc"] = (CtcHead().align, LANGUAGES)
    rows: dict[str, Row] = {}
    thresholds = {}
    for kind, (align, languages) in aligners.items():
        right, other = [], []
        for language in languages:
            for channel in CHANNELS:
                found = measure(align, held_out(language, channel, arguments.count))
                rows[f"{kind}-{language}-{channel}"] = found[0]
                right, other = right + found[1], other + found[2]
        thresholds[kind] = threshold(right, other, MIN_SCORES[kind])
    print(table(rows))
    print("\n".join(f"{kind}: {text}" for kind, text in thresholds.items()))
    if arguments.store:
        store(rows, thresholds)
    return 0


def store(rows: dict[str, Row], thresholds: dict[str, dict[str, float]]) -> None:
    """Keep the result beside those of other aligners."""
    kept = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.exists() else {"rows": {}, "thresholds": {}}
    found = {"rows": kept["rows"] | {name: asdict(row) for name, row in rows.items()}}
    found |= {"thresholds": kept["thresholds"] | thresholds}
    RESULT.write_text(json.dumps({"machine": describe_machine()} | found, indent=2) + "\n", encoding="utf-8")


class CtcHead:
    """The head of the demo checkpoint, over the encoder output of each recording."""

    def __init__(self) -> None:
        self._recognizer = FunAsrNanoRecognizer.load(resolve("demo"), RecognizerSettings(device="cpu"))

    @torch.inference_mode()
    def align(self, tasks: Sequence[AlignTask]) -> list[Alignment | None]:
        """Alignments of given texts, as the recogniser makes those of its own."""
        timer = self._recognizer._timer
        if timer is None:
            raise SystemExit("the demo checkpoint has no CTC head")
        features = self._recognizer._extract_features([Utterance(task.samples) for task in tasks])
        frames = timer.decode_frames(self._recognizer._encode_audio(features)[1])
        timed = timer.time_words(frames, [task.text for task in tasks], [task.duration_s for task in tasks])
        return [None if words is None else Alignment(words, score_of(words)) for words in timed]


def measure(align: Align, recordings: Sequence[SyntheticRecording]) -> tuple[Row, list[float], list[float]]:
    """The row of a set, and its scores with right texts and with those of other recordings."""
    ordered = sorted(recordings, key=lambda item: item.duration_s)
    texts = [item.text for item in ordered]
    right = _align(align, ordered, texts)
    replaced = _align(align, ordered, [_replace(item, place) for place, item in enumerate(ordered)])
    other = _align(align, ordered, [*texts[1:], texts[-2]])
    errors = [pair for item, found in zip(ordered, right, strict=True) if found for pair in _errors(item, found)]
    signed = 1000 * np.array(errors)
    median, high = np.percentile(np.abs(signed), [50, 95], axis=0)
    scores = [[found.score if found else 0.0 for found in kind] for kind in (right, replaced, other)]
    row = Row(
        len(ordered),
        len(errors),
        sum(found is not None for found in right),
        *(round(float(value), 1) for value in (median[0], high[0], median[1], high[1], np.median(signed[:, 1]))),
        *(_percentiles(values) for values in scores),
        auroc_replaced=_auroc(scores[0], scores[1]),
        auroc_other=_auroc(scores[0], scores[2]),
    )
    return row, scores[0], scores[2]


def _align(align: Align, recordings: Sequence[SyntheticRecording], texts: Sequence[str]) -> list[Alignment | None]:
    tasks = [
        AlignTask(np.round(item.samples * 32767).astype(np.int16), text, item.language)
        for item, text in zip(recordings, texts, strict=True)
    ]
    return [found for start in range(0, len(tasks), 8) for found in align(tasks[start : start + 8])]


def _replace(item: SyntheticRecording, seed: int) -> str:
    """The text with a share of its words replaced by words of other sentences."""
    random = Random(seed)
    words = [word.word for word in item.words]
    pool = [word for _ in range(8) for word in words_of(sentence(random, item.language), item.language)]
    for place in random.sample(range(len(words)), max(1, round(REPLACED * len(words)))):
        words[place] = random.choice([word for word in pool if word != words[place]])
    return (" " if item.language == "en" else "").join(words)


def _errors(item: SyntheticRecording, found: Alignment) -> Iterator[tuple[float, float]]:
    """Signed errors (start, end) in seconds; a word of several characters is compared with the first and the last."""
    place = 0
    for word in found.words:
        count = len(words_of(word.text, item.language))
        known = item.words[place : place + count]
        place += count
        yield word.start_s - known[0].start_s, word.end_s - known[-1].end_s


def _percentiles(values: Sequence[float]) -> tuple[float, float, float]:
    low, middle, high = (round(float(value), 3) for value in np.percentile(values, [1, 50, 99]))
    return low, middle, high


def _auroc(right: Sequence[float], wrong: Sequence[float]) -> float:
    """The share of pairs in which the right text has the higher score."""
    higher = np.greater.outer(right, wrong).mean() + 0.5 * np.equal.outer(right, wrong).mean()
    return round(float(higher), 4)


def threshold(right: Sequence[float], other: Sequence[float], limit: float) -> dict[str, float]:
    """The score that 99 % of the right texts reach, and what the aligner's limit keeps and refuses."""
    return {
        "reached_by_99_percent": round(float(np.quantile(right, 1 - KEPT)), 3),
        "limit": limit,
        "right_kept": round(float(np.mean(np.array(right) >= limit)), 4),
        "others_refused": round(float(np.mean(np.array(other) < limit)), 4),
    }


def table(rows: dict[str, Row]) -> str:
    """The rows as a Markdown table."""
    head = ["set", "recordings", "words", "start ms (p95)", "end ms (p95)", "right", "a quarter wrong", "another text"]
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for name, row in rows.items():
        scores = (f"{middle:.2f} ({low:.2f} to {high:.2f})" for low, middle, high in _scores(row))
        start = f"{row.start_median_ms:.0f} ({row.start_p95_ms:.0f})"
        end = f"{row.end_median_ms:.0f} ({row.end_p95_ms:.0f})"
        lines.append("| " + " | ".join([name, str(row.recordings), str(row.words), start, end, *scores]) + " |")
    return "\n".join(lines)


def _scores(row: Row) -> list[tuple[float, float, float]]:
    return [row.score_right, row.score_replaced, row.score_other]


if __name__ == "__main__":
    raise SystemExit(main())
