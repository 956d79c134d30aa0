"""Does the batch change the text? Mixed languages, hotwords, context and lengths: alone, in batches, in any order.

    python -m benchmarks.batch_invariance [--count 128] [--store]

The demo checkpoint (trained, on held-out speech) and a tiny one of random weights, whose texts hang on the last bit, in
float32 and with a language model in bfloat16. Each utterance has its own language, hotwords and context. `--store`
keeps the result in benchmarks/results/batch_invariance.json.
"""

import argparse
import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from random import Random

import numpy as np
import torch

from benchmarks.hardware import describe_machine
from funasr_beam.model.batching import BatchLimits, recognize_all
from funasr_beam.model.checkpoint import resolve
from funasr_beam.model.demo_speech.channel import PHONE
from funasr_beam.model.demo_speech.recording import Recipe, render
from funasr_beam.model.languages import LANGUAGE_NAMES
from funasr_beam.model.recognizers.base import RecognizerSettings, Utterance
from funasr_beam.model.recognizers.decoding.decoder import load_decoder
from funasr_beam.model.recognizers.fun_asr_nano import FunAsrNanoRecognizer
from funasr_beam.model.records import SAMPLE_RATE, Hypothesis, RecognitionOptions
from tests.tiny_checkpoint import build_checkpoint

RESULT = Path(__file__).parent / "results" / "batch_invariance.json"
BATCHES = {"8": BatchLimits(1e9, 8), "64": BatchLimits(1e9, 64), "by length": BatchLimits(60.0, 64)}
HINTS = ("Anna Brown", "Fun-ASR", "开放时间", "invoice", "退款", "Berlin", "laptop", "西安", "Julia", "会员卡")


@dataclass(frozen=True)
class Score:
    """Batches compared with one by one."""

    utterances: int
    distinct_hints: int
    same_text: float  # percent
    largest_logprob_change: float  # over texts that are the same


def main() -> int:
    """Recognise everything in every way, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=128, help="utterances")
    parser.add_argument("--lists", type=int, default=2_000, help="lists of hotwords, each of one utterance")
    parser.add_argument("--store", action="store_true", help="keep the result")
    arguments = parser.parse_args()
    print(
        "| model | LLM | batches | same text | largest change of a logprob |\n| --- | --- | --- | --- | --- |",
        flush=True,
    )
    scores = {}
    for name, item in measure(arguments.count, arguments.lists):
        scores[name] = item
        line = f"| {name.replace(', ', ' | ')} | {item.same_text:.1f} % | {item.largest_logprob_change:.1e} |"
        print(line, flush=True)
    if arguments.store:
        content = {"machine": describe_machine(), "scores": {name: asdict(item) for name, item in scores.items()}}
        RESULT.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return 0


def measure(count: int, lists: int) -> Iterator[tuple[str, Score]]:
    """Scores by model, precision of the LLM and kind of batch."""
    with tempfile.TemporaryDirectory() as folder:
        tiny = str(build_checkpoint(Path(folder) / "tiny"))
        yield f"tiny, float32, 64 of {lists} lists", _score_lists(tiny, lists)
        utterances = make_utterances(count)
        for model, place in (("tiny", tiny), ("demo", "demo")):
            asked = [_with_language(item, number, model) for number, item in enumerate(utterances)]
            for precision in ("float32", "bfloat16"):
                recognizer = FunAsrNanoRecognizer.load(resolve(place), RecognizerSettings(device="cpu"))
                if precision == "bfloat16":  # as on a GPU: encoder and adaptor stay as they are
                    recognizer._model.model.language_model.to(torch.bfloat16)
                    recognizer._model.lm_head.to(torch.bfloat16)
                    recognizer._decode = load_decoder(recognizer._model, recognizer._end_ids)
                alone = [recognizer.recognize([item])[0] for item in asked]
                for name, limits in BATCHES.items():
                    yield f"{model}, {precision}, {name}", compare(recognizer, asked, alone, limits)


def _score_lists(place: str, count: int) -> Score:
    recognizer = FunAsrNanoRecognizer.load(resolve(place), RecognizerSettings(device="cpu"))
    asked = make_lists(count)
    alone = [recognizer.recognize([item])[0] for item in asked]
    return compare(recognizer, asked, alone, BATCHES["64"])


def make_lists(count: int) -> list[Utterance]:
    """Half a second of noise, so many times, each with a list of hotwords of its own."""
    rng = np.random.default_rng(0)
    sounds = [rng.normal(0, 3000, SAMPLE_RATE // 2 + 160 * place).astype(np.int16) for place in range(16)]
    return [
        Utterance(sounds[place % 16], RecognitionOptions(None, (*Random(place).sample(HINTS, 3), f"caller {place}")))
        for place in range(count)
    ]


def make_utterances(count: int) -> list[Utterance]:
    """Held-out speech over the telephone, one or two sentences, each with hints of its own."""
    utterances = []
    for place in range(count):
        random = Random(place)
        language = random.choice(("en", "zh"))
        recipe = Recipe(language, "heldout", random.choice((1, 2)), channel=PHONE, longest_s=11.0)
        samples = np.round(np.clip(render(recipe, f"batch/{place}").samples, -1, 1) * 32767).astype(np.int16)
        hotwords = (
            *random.sample(HINTS, random.randint(0, 4)),
            *(f"caller {place}" for _ in range(random.randint(0, 1))),
        )
        context = random.choice((None, None, "a call about an invoice", "关于付款的电话"))
        utterances.append(Utterance(samples[: 11 * SAMPLE_RATE], RecognitionOptions(language, hotwords, context)))
    return utterances


def compare(
    recognizer: FunAsrNanoRecognizer, asked: Sequence[Utterance], alone: Sequence[Hypothesis], limits: BatchLimits
) -> Score:
    """All utterances in batches and in an order of their own, against one by one."""
    order = list(range(len(asked)))
    Random(7).shuffle(order)
    together = recognize_all(recognizer, [asked[place] for place in order], limits)
    same = [
        (hypothesis, alone[place])
        for hypothesis, place in zip(together, order, strict=True)
        if isinstance(hypothesis, Hypothesis) and hypothesis.text == alone[place].text
    ]
    changes = [
        abs(a.logprob - b.logprob) for left, right in same for a, b in zip(left.tokens, right.tokens, strict=False)
    ]
    hints = {(item.options.hotwords, item.options.context) for item in asked}
    return Score(len(asked), len(hints), 100 * len(same) / len(asked), max(changes, default=0.0))


def _with_language(utterance: Utterance, number: int, model: str) -> Utterance:
    """Of a checkpoint that knows all languages: another for each utterance, its text is arbitrary anyway."""
    told = utterance.options
    language = told.language if model == "demo" else [*LANGUAGE_NAMES, None][number % 32]
    return Utterance(utterance.samples, replace(told, language=language), itn=number % 5 == 0)


if __name__ == "__main__":
    raise SystemExit(main())
