"""CPU milliseconds a segment of all that the host does with text: ITN, language, guards, word times.

    python -m benchmarks.text_path [--segments 400] [--repeats 3] [--tiny] [--store]

Segments of one to three call-centre sentences, rich in numbers, half English and half Mandarin, each new to the
program. ITN is compared with wetext's own functions on the same texts in turns; the texts have to be equal. `--store`
keeps the result in benchmarks/results/text_path.json.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch

from benchmarks.hardware import describe_machine
from funasr_beam.model import itn
from funasr_beam.model.alignment import align_words
from funasr_beam.model.demo_speech.sentences import LANGUAGES, sentence
from funasr_beam.model.guards import examine
from funasr_beam.model.itn import InverseTextNormalizer, itn_version
from funasr_beam.model.itn_rules.grammar import Grammar, Tagged
from funasr_beam.model.language_id import LanguageDetector
from funasr_beam.model.languages import LANGUAGE_NAMES
from funasr_beam.model.recognizers.base import Utterance
from funasr_beam.model.records import Hypothesis, RecognitionOptions, Token
from funasr_beam.model.retries import GuardInput

RESULT = Path(__file__).parent / "results" / "text_path.json"
WARM_UP_COUNT = 5
"""ITN has met so many times as many texts before, since it is quicker with what it has seen: one minute of one GPU."""

FRAME_S = 0.06
SEGMENT_S = 12.0
Texts = Sequence[tuple[str, str]]  # with their languages


@dataclass(frozen=True)
class Cost:
    """CPU milliseconds of this thread for a segment, over the repeats."""

    median: float
    least: float
    most: float


def main() -> None:
    """Make the texts, measure each part, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--segments", type=int, default=400)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--tiny", action="store_true", help="a few segments, once: shows that it runs")
    parser.add_argument("--store", action="store_true", help="keep the result")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    count, repeats = (8, 1) if arguments.tiny else (arguments.segments, arguments.repeats)
    costs = measure(count, repeats)
    print("| part | ms a segment (spread) |\n| --- | --- |")
    for name, cost in costs.items():
        print(f"| {name} | {cost.median:.2f} ({cost.least:.2f} to {cost.most:.2f}) |")
    if arguments.store:
        content = {
            "machine": describe_machine() | {"itn": itn_version()},
            "segments": count,
            "repeats": repeats,
            "ms_a_segment": {name: asdict(cost) for name, cost in costs.items()},
        }
        RESULT.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def measure(count: int, repeats: int) -> dict[str, Cost]:
    """Each part in turns, with texts of its own in every turn."""
    random = Random(0)
    parts = make_parts()
    for run in parts.values():
        run(make_texts(random, 2))  # loads
    _normalize(make_texts(random, WARM_UP_COUNT * count))
    found: dict[str, list[float]] = {name: [] for name in parts}
    for _ in range(repeats):
        texts, written = make_texts(random, count), {}
        for name, run in parts.items():
            began = time.thread_time()
            written[name] = run(texts)
            found[name].append((time.thread_time() - began) / count * 1000)
        if written["ITN"] != written["ITN, by wetext's own functions"]:
            raise SystemExit("the two ways of ITN do not agree")
    return {name: Cost(statistics.median(own), min(own), max(own)) for name, own in found.items()}


def make_texts(random: Random, count: int) -> Texts:
    """Segments as they are recognised."""
    texts = []
    for place in range(count):
        language = LANGUAGES[place % len(LANGUAGES)]
        sentences = [sentence(random, language) for _ in range(random.randint(1, 3))]
        texts.append(((" " if language == "en" else "").join(sentences), language))
    return texts


def make_parts() -> dict[str, Callable[[Texts], Any]]:
    """What is measured."""
    few, all_languages = LanguageDetector(("en", "ja", "zh")), LanguageDetector(tuple(LANGUAGE_NAMES))
    samples = np.random.default_rng(0).integers(-3000, 3000, round(SEGMENT_S * 16_000), np.int16)
    scores = torch.randn(round(SEGMENT_S / FRAME_S), 60).log_softmax(1)
    return {
        "ITN": _normalize,
        "ITN, by wetext's own functions": _normalize_by_wetext,
        "language of 3": lambda texts: [few.detect(text) for text, _ in texts],
        "language of 31": lambda texts: [all_languages.detect(text) for text, _ in texts],
        "guards": lambda texts: [_examine(text, samples) for text, _ in texts],
        "word times, CTC alignment of 12 s": lambda texts: [align(text, scores) for text, _ in texts],
    }


def _normalize(texts: Texts) -> list[str]:
    normalizer = InverseTextNormalizer()
    return [normalizer.normalize(text, None, language).text for text, language in texts]


def _normalize_by_wetext(texts: Texts) -> list[str]:
    ours = itn._grammar
    grammars = {language: WetextGrammar(language) for language in LANGUAGES}
    try:
        itn._grammar = grammars.__getitem__  # type: ignore[assignment]
        return _normalize(texts)
    finally:
        itn._grammar = ours


class WetextGrammar(Grammar):
    """The same answers from wetext's functions: first whether anything changes, then what and where."""

    def __init__(self, language: str) -> None:
        from wetext import Normalizer

        self._normalizer = Normalizer(lang=language, operator="itn")

    def tag(self, text: str) -> list[Tagged]:
        """See `Grammar`."""
        try:
            if self._normalizer.normalize(text) == text:
                return []
            mappings = self._normalizer.normalize_with_mapping(text).mappings
        except (RuntimeError, AssertionError, IndexError, ValueError):
            return []
        return [Tagged(item.token_type, item.input_start, item.input_end, item.output_text) for item in mappings]


def as_written(text: str) -> Hypothesis:
    """The text as if a recogniser had written it, a token for each word."""
    return Hypothesis(text, tuple(Token(f" {word}", -0.1) for word in text.split()), "stop")


def _examine(text: str, samples: Any) -> object:
    item = GuardInput(Utterance(samples), ((0.2, SEGMENT_S - 0.2),), 0.9)
    return examine(as_written(text), item.evidence, RecognitionOptions())


def align(text: str, scores: torch.Tensor) -> object:
    """Word times of a text, as long as its words are."""
    words = [[1 + place % 59] for place in range(min(60, len(text.split()) if " " in text else len(text)))]
    return align_words(scores, words, 0, FRAME_S, 0.0, SEGMENT_S)


if __name__ == "__main__":
    main()
