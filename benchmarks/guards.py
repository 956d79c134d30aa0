"""Loops and truncations: are all flagged, how many are repaired, and how right is the text before and after?

    python -m benchmarks.guards [--store]

Forty seeded cases on held-out speech. In twenty the demo checkpoint gets utterances twice to three times as long as it
was trained for, and loses passages of its own accord. In twenty a defect of real models is put upon it from a length on
that differs by case: a phrase that goes round in circles until the budget ends it, one character or word that does, a
text that the budget cuts, and one that ends early as if that were all. Beside them, 60 segments of ordinary length
show what the guards cost and whether they leave good text alone. `--store` keeps the result in
benchmarks/results/guards.json.
"""

import argparse
import json
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from random import Random

import jiwer
import numpy as np

from benchmarks.demo_pipeline import split_text
from benchmarks.hardware import describe_machine
from funasr_beam.model.batching import BatchLimits, recognize_all
from funasr_beam.model.checkpoint import CheckpointInfo
from funasr_beam.model.demo_speech.channel import CLEAN
from funasr_beam.model.demo_speech.recording import Recipe, SyntheticRecording, render
from funasr_beam.model.recognizers.base import Recognizer, RecognizerSettings, Utterance
from funasr_beam.model.recognizers.families import load_recognizer
from funasr_beam.model.records import SAMPLE_RATE, Failure, Hypothesis, RecognitionOptions
from funasr_beam.model.retries import GuardInput, recognize_guarded
from funasr_beam.model.segmentation import SegmentationConfig, speech_intervals
from funasr_beam.model.text import word_spans
from funasr_beam.model.vad import shared_detector

RESULT = Path(__file__).parent / "results" / "guards.json"
LIMITS = BatchLimits(max_items=16)
DEFECTS = ("phrase loop", "single loop", "cut by the budget", "ends early")
REPAIRED_ERROR = 20.0
"""A case counts as repaired when no flag is left on it and at most this percentage of its words is wrong."""


@dataclass(frozen=True)
class Case:
    """One utterance before and after."""

    kind: str
    language: str
    duration_s: float
    error_before: float  # percent of words or characters
    error_after: float
    flags: tuple[str, ...]
    attempts: int

    @property
    def is_flagged(self) -> bool:
        """Whether the row tells that something was or is wrong."""
        return bool(self.flags)

    @property
    def is_repaired(self) -> bool:
        """Whether nothing is wrong any more, by the flags and in truth."""
        return all(flag.endswith("_repaired") for flag in self.flags) and self.error_after <= REPAIRED_ERROR


@dataclass
class Defective:
    """The demo checkpoint with a defect that sets in at a length."""

    recognizer: Recognizer
    defect: str
    from_s: float
    batch_limits = LIMITS

    def describe(self) -> CheckpointInfo:
        """As the checkpoint does."""
        return self.recognizer.describe()

    def recognize(self, utterances: Sequence[Utterance]) -> list[Hypothesis]:
        """What the checkpoint writes, spoilt where the utterance is too long."""
        heard = self.recognizer.recognize(utterances)
        return [
            spoil(right, self.defect) if utterance.duration_s > self.from_s else right
            for utterance, right in zip(utterances, heard, strict=True)
        ]


@dataclass
class Replay:
    """Gives again what was recognised before, so that only the guards take time."""

    known: dict[int, Hypothesis | Failure]
    batch_limits = LIMITS

    def describe(self) -> CheckpointInfo:
        """Never asked."""
        raise NotImplementedError

    def recognize(self, utterances: Sequence[Utterance]) -> list[Hypothesis]:
        """The hypotheses of these utterances."""
        return [known for utterance in utterances if isinstance(known := self.known[id(utterance)], Hypothesis)]


def main() -> int:
    """Make the cases, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", action="store_true", help="keep the result")
    arguments = parser.parse_args()
    recognizer = load_recognizer("demo", RecognizerSettings(device="cpu"))
    cases = [*long_cases(recognizer), *defective_cases(recognizer)]
    cost = price(recognizer, [guard_input(recording) for recording in recordings(60, 2)])
    print(table(cases))
    print(f"\nordinary segments: {cost}")
    if arguments.store:
        content = {"machine": describe_machine(), "cases": [asdict(case) for case in cases], "ordinary": cost}
        RESULT.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


def long_cases(recognizer: Recognizer, count: int = 20) -> Iterator[Case]:
    """Utterances that are too long for the checkpoint."""
    for recording in recordings(count, 7):
        yield compare("too long for the model", recognizer, recording)


def defective_cases(recognizer: Recognizer, count: int = 20) -> Iterator[Case]:
    """Utterances with a defect put upon the checkpoint; it sets in at 2 to 7 s."""
    for place, recording in enumerate(recordings(count, 3)):
        defect = DEFECTS[place // 2 % len(DEFECTS)]
        yield compare(defect, Defective(recognizer, defect, Random(place).uniform(2.0, 7.0)), recording)


def compare(kind: str, recognizer: Recognizer, recording: SyntheticRecording) -> Case:
    """One utterance without the guards and with them."""
    item = guard_input(recording)
    (before,) = recognize_all(recognizer, [item.utterance], LIMITS)
    (after,) = recognize_guarded(recognizer, [item], LIMITS)
    if not isinstance(before, Hypothesis) or not isinstance(after.outcome, Hypothesis):
        raise SystemExit(f"{kind}: not recognised")
    errors = [error_rate(recording, hypothesis.text) for hypothesis in (before, after.outcome)]
    return Case(kind, recording.language, recording.duration_s, *errors, after.flags, after.attempts)


def price(recognizer: Recognizer, inputs: Sequence[GuardInput]) -> dict[str, float]:
    """What the guards cost where nothing is wrong: their own CPU time beside that of the recogniser."""
    began = time.process_time()
    plain = recognize_all(recognizer, [item.utterance for item in inputs], LIMITS)
    recognize_s = time.process_time() - began
    replay = Replay({id(item.utterance): outcome for item, outcome in zip(inputs, plain, strict=True)})
    guard_s = []
    for _ in range(5):
        fresh = [replace(item) for item in inputs]
        began = time.process_time()
        guarded = recognize_guarded(replay, fresh, LIMITS)
        guard_s.append(time.process_time() - began)
    return {
        "segments": len(inputs),
        "audio_s": sum(item.utterance.duration_s for item in inputs),
        "recognize_ms_per_segment": 1000 * recognize_s / len(inputs),
        "guard_ms_per_segment": 1000 * statistics.median(guard_s) / len(inputs),
        "changed": sum(before != after.outcome for before, after in zip(plain, guarded, strict=True)),
        "flagged": sum(bool(item.flags) for item in guarded),
    }


@cache
def recordings(count: int, sentences: int) -> tuple[SyntheticRecording, ...]:
    """Held-out recordings, English and Mandarin in turn."""
    recipes = [
        Recipe("zh" if place % 2 else "en", "heldout", sentences, channel=CLEAN, pause_s=(0.3, 0.8))
        for place in range(count)
    ]
    return tuple(render(recipe, f"guards/{sentences}/{place}") for place, recipe in enumerate(recipes))


def guard_input(recording: SyntheticRecording) -> GuardInput:
    """The whole recording as one utterance, with what the VAD knows of it."""
    samples = np.round(np.clip(recording.samples, -1, 1) * 32767).astype(np.int16)
    probabilities = shared_detector().speech_probabilities([samples])[0]
    found = speech_intervals(probabilities, SegmentationConfig(), 0.0, 0, len(samples) / SAMPLE_RATE)
    speech = tuple((interval.start_s, interval.end_s) for interval in found)
    certainty = float(probabilities[probabilities >= 0.5].mean())
    return GuardInput(Utterance(samples, RecognitionOptions(recording.language)), speech, certainty)


def spoil(right: Hypothesis, defect: str) -> Hypothesis:
    """A hypothesis as a model with this defect would have written it."""
    spoken = [word.text for word in word_spans(right.text)]
    kept = max(1, len(spoken) // 3)
    tokens = right.tokens[: max(1, len(right.tokens) // 3)]
    match defect:
        case "phrase loop":
            spoken = spoken[:kept] + spoken[max(kept - 4, 0) : kept] * 40
            tokens, reason = tokens + tokens[-4:] * 40, "length"
        case "single loop":
            spoken, tokens, reason = spoken[:kept] + spoken[kept - 1 : kept] * 120, tokens + tokens[-1:] * 120, "length"
        case "cut by the budget":
            spoken, reason = spoken[:kept], "length"
        case _:
            spoken, reason = spoken[:kept], "stop"
    text = (" " if right.text.isascii() else "").join(spoken)
    words = None if right.words is None else right.words[:kept]
    return replace(right, text=text, tokens=tokens, finish_reason=reason, words=words)


def error_rate(recording: SyntheticRecording, text: str) -> float:
    """Percent of words (Mandarin: characters) that are wrong; insertions count, so that a loop has more than 100."""
    reference = " ".join(word.word for word in recording.words)
    return 100 * jiwer.wer(reference, " ".join(split_text(text)))


def table(cases: Sequence[Case]) -> str:
    """The cases by kind as a Markdown table."""
    lines = [
        "| case | utterances | flagged | repaired | errors before | after |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for kind in dict.fromkeys(case.kind for case in cases):
        own = [case for case in cases if case.kind == kind]
        before, after = (
            statistics.mean(getattr(case, name) for case in own) for name in ("error_before", "error_after")
        )
        lines.append(
            f"| {kind} | {len(own)} | {sum(case.is_flagged for case in own)} | {sum(case.is_repaired for case in own)} "
            f"| {before:.0f} % | {after:.1f} % |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
