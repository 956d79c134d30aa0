"""Does confidence tell right from wrong? AUROC over segments and over words of the noisy held-out set.

    python -m benchmarks.confidence [--count 25] [--store]

Held-out sentences and voices over an 8 kHz mu-law telephone with noise at 10, 5 and 0 dB, cut by VAD as the pipeline
does. A segment is right when all of its words are; which words are its own is known from the generator's times. The
definitions that were weighed stand beside the ones in use. `--store` keeps the result in
benchmarks/results/confidence.json.
"""

import argparse
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import jiwer
import numpy as np

from benchmarks.hardware import describe_machine
from funasr_beam.model.confidence import segment_confidence, weigh_words, word_confidences
from funasr_beam.model.demo_speech.channel import Channel
from funasr_beam.model.demo_speech.recording import Recipe, SyntheticRecording, render
from funasr_beam.model.recognizers.base import Recognizer, RecognizerSettings, Utterance
from funasr_beam.model.recognizers.families import load_recognizer
from funasr_beam.model.records import SAMPLE_RATE, Hypothesis, RecognitionOptions, Segment
from funasr_beam.model.segmentation import SegmentationConfig, cut_segments, segment_bounds, speech_intervals
from funasr_beam.model.text import word_spans
from funasr_beam.model.vad import shared_detector

RESULT = Path(__file__).parent / "results" / "confidence.json"
NOISE_DB = (10.0, 5.0, 0.0)
BINS = (0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 1.0)


@dataclass(frozen=True)
class RecognizedSegment:
    """One segment: what was recognised, and which of its words are right."""

    language: str
    noise_db: float
    hypothesis: Hypothesis
    words_right: tuple[bool, ...]
    is_right: bool


SEGMENT_SCORES: dict[str, Callable[[RecognizedSegment], float]] = {
    "mean log-probability (in use)": lambda segment: segment_confidence(segment.hypothesis.tokens) or 0.0,
    "least likely token": lambda segment: min(_logprobs(segment)),
    "three least likely tokens": lambda segment: float(np.mean(sorted(_logprobs(segment))[:3])),
    "sum of log-probabilities": lambda segment: sum(_logprobs(segment)),
    "sound alone": lambda segment: float(
        np.mean([word.confidence for word in segment.hypothesis.words or ()] or [0.0])
    ),
}
WORD_SCORES: dict[str, Callable[[Hypothesis], list[float]]] = {
    "sound and tokens (in use)": lambda hypothesis: [word.confidence for word in weigh_words(hypothesis) or ()],
    "sound alone": lambda hypothesis: [word.confidence for word in hypothesis.words or ()],
    "tokens alone": lambda hypothesis: word_confidences(hypothesis.text, hypothesis.tokens) or [],
}


def main() -> int:
    """Recognise the set, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=25, help="recordings of each language and noise level")
    parser.add_argument("--store", action="store_true", help="keep the result")
    arguments = parser.parse_args()
    results = measure(arguments.count)
    print(json.dumps(results, indent=2))
    if arguments.store:
        content = {"machine": describe_machine(), "model": "demo", **results}
        RESULT.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return 0


def measure(count: int) -> dict[str, object]:
    """AUROC by definition, and how often segments of a confidence are right."""
    segments = list(recognize(load_recognizer("demo", RecognizerSettings(device="cpu")), count))
    groups = {"all": segments} | {
        f"{language}, {noise_db:g} dB": [
            item for item in segments if (item.language, item.noise_db) == (language, noise_db)
        ]
        for language in ("en", "zh")
        for noise_db in NOISE_DB
    }
    timed = [item for item in segments if len(item.words_right) == len(item.hypothesis.words or ())]
    words_right = [right for item in timed for right in item.words_right]
    return {
        "segments": {
            name: {"segments": len(items), "right": float(np.mean([item.is_right for item in items]))}
            | {
                kind: auroc([score(item) for item in items], [item.is_right for item in items])
                for kind, score in SEGMENT_SCORES.items()
            }
            for name, items in groups.items()
        },
        "words": {"words": len(words_right), "right": float(np.mean(words_right))}
        | {
            kind: auroc([value for item in timed for value in score(item.hypothesis)], words_right)
            for kind, score in WORD_SCORES.items()
        },
        "right_by_confidence": reliability(segments),
    }


def recognize(recognizer: Recognizer, count: int) -> Iterator[RecognizedSegment]:
    """Every segment of the set that holds words."""
    for language in ("en", "zh"):
        for noise_db in NOISE_DB:
            pairs = []
            for place in range(count):
                channel = Channel(noise_db=noise_db, phone=True)
                recipe = Recipe(language=language, split="heldout", sentences=4, channel=channel)
                recording = render(recipe, f"confidence/{language}/{noise_db}/{place}")
                pairs += [(segment, own_words(recording, segment)) for segment in cut(recording, recognizer)]
            spoken = [pair for pair in pairs if pair[1]]
            for batch in (spoken[place : place + 16] for place in range(0, len(spoken), 16)):
                asked = [Utterance(segment.samples, RecognitionOptions(language)) for segment, _ in batch]
                for hypothesis, (_, said) in zip(recognizer.recognize(asked), batch, strict=True):
                    right = which_are_right(said, [word.text for word in word_spans(hypothesis.text)])
                    is_right = all(right) and len(right) == len(said)
                    yield RecognizedSegment(language, noise_db, hypothesis, right, is_right)


def cut(recording: SyntheticRecording, recognizer: Recognizer) -> list[Segment]:
    """The recording's segments, as the pipeline would cut it for this checkpoint."""
    longest_s = recognizer.describe().longest_segment_s
    config = SegmentationConfig(target_s=longest_s, max_s=longest_s)
    samples = np.round(np.clip(recording.samples, -1, 1) * 32767).astype(np.int16)
    duration_s = len(samples) / SAMPLE_RATE
    probabilities = shared_detector().speech_probabilities([samples])[0]
    intervals = speech_intervals(probabilities, config, 0.0, 0, duration_s)
    bounds = segment_bounds(intervals, probabilities, config, 0.0, duration_s)
    return cut_segments(samples, bounds, intervals, probabilities, 0, 0.0)


def own_words(recording: SyntheticRecording, segment: Segment) -> list[str]:
    """The words whose middle lies in the segment."""
    return [
        word.word for word in recording.words if segment.start_s <= (word.start_s + word.end_s) / 2 <= segment.end_s
    ]


def which_are_right(said: Sequence[str], heard: Sequence[str]) -> tuple[bool, ...]:
    """For each word that was heard, whether it was said there."""
    right = [False] * len(heard)
    if heard:
        for chunk in jiwer.process_words(" ".join(said), " ".join(heard)).alignments[0]:
            if chunk.type == "equal":
                right[chunk.hyp_start_idx : chunk.hyp_end_idx] = [True] * (chunk.hyp_end_idx - chunk.hyp_start_idx)
    return tuple(right)


def auroc(scores: Sequence[float], right: Sequence[bool]) -> float | None:
    """How often a right one scores higher than a wrong one; None where there is but one kind."""
    order = np.unique(scores, return_inverse=True)[1]
    counts = np.bincount(order)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[order]  # ties share their mean rank
    is_right = np.array(right)
    num_right, num_wrong = int(is_right.sum()), int((~is_right).sum())
    if not num_right or not num_wrong:
        return None
    return float((ranks[is_right].sum() - num_right * (num_right + 1) / 2) / (num_right * num_wrong))


def reliability(segments: Sequence[RecognizedSegment]) -> list[dict[str, float]]:
    """Share of right segments by confidence."""
    confidences = np.array([segment_confidence(item.hypothesis.tokens) or 0.0 for item in segments])
    right = np.array([item.is_right for item in segments])
    rows = []
    for low, high in pairwise(BINS):
        inside = (confidences >= low) & ((confidences < high) | (high == BINS[-1]))
        if inside.any():
            rows.append({"from": low, "to": high, "segments": int(inside.sum()), "right": float(right[inside].mean())})
    return rows


def _logprobs(segment: RecognizedSegment) -> list[float]:
    return [token.logprob for token in segment.hypothesis.tokens] or [-math.inf]


if __name__ == "__main__":
    raise SystemExit(main())
