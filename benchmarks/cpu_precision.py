"""Does a lower precision pay on a CPU, and what does it do to the text?

    python -m benchmarks.cpu_precision [--store]

The demo checkpoint on held-out speech in float32, with bfloat16 in encoder and adaptor, in the language model, in both,
and with the linear layers of the encoder in int8; then single layers of the published width, with random weights. The
ways take turns, so that all see the same load. `--store` keeps the result in benchmarks/results/cpu_precision.json.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from torch.ao.quantization import quantize_dynamic

from benchmarks.batch_invariance import make_utterances
from benchmarks.hardware import describe_machine
from benchmarks.memory_model import build_model, encode
from funasr_beam.model.checkpoint import resolve
from funasr_beam.model.recognizers.base import RecognizerSettings
from funasr_beam.model.recognizers.decoding.decoder import load_decoder
from funasr_beam.model.recognizers.fun_asr_nano import FunAsrNanoRecognizer
from funasr_beam.model.recognizers.loading import lower_encoder_precision, lower_llm_precision

RESULT = Path(__file__).parent / "results" / "cpu_precision.json"
WAYS = ("float32", "bfloat16 encoder", "bfloat16 LLM", "bfloat16 both", "int8 encoder")
ROUNDS = 5
LAYERS = 4
FRAMES = (4, 250)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=48, help="utterances")
    parser.add_argument("--store", action="store_true", help="keep the result")
    arguments = parser.parse_args()
    demo = measure_demo(arguments.count)
    print("| demo | CPU seconds to float32's (range) | equal texts % |\n| --- | --- | --- |")
    for way, found in demo.items():
        spread = f"{found['ratio']:.2f} ({found['fastest']:.2f} to {found['slowest']:.2f})"
        print(f"| {way} | {spread} | {found['equal_texts']:.0f} |", flush=True)
    width = measure_width()
    print("| layers of full width | seconds to float32's |\n| --- | --- |")
    for way, ratio in width.items():
        print(f"| {way} | {ratio:.2f} |", flush=True)
    if arguments.store:
        content = {"machine": describe_machine(), "utterances": arguments.count, "demo": demo, "full_width": width}
        RESULT.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def measure_demo(count: int) -> dict[str, dict[str, float]]:
    """CPU seconds as ratios, and how many texts are those of float32."""
    recognizers = {way: load(way) for way in WAYS}
    utterances = make_utterances(count)
    took: dict[str, list[float]] = {way: [] for way in WAYS}
    texts = {}
    for number in range(-1, ROUNDS):  # the first one warms up
        for way in WAYS[number % len(WAYS) :] + WAYS[: number % len(WAYS)]:
            began = time.process_time()
            texts[way] = [hypothesis.text for hypothesis in recognizers[way].recognize(utterances)]
            if number >= 0:
                took[way].append(time.process_time() - began)
    return {
        way: {
            "ratio": statistics.median(took[way]) / statistics.median(took["float32"]),
            "fastest": min(took[way]) / statistics.median(took["float32"]),
            "slowest": max(took[way]) / statistics.median(took["float32"]),
            "equal_texts": 100 * sum(map(str.__eq__, texts[way], texts["float32"])) / count,
        }
        for way in WAYS
    }


def load(way: str) -> FunAsrNanoRecognizer:
    """The demo checkpoint in one of the ways."""
    encoder = way in ("bfloat16 encoder", "bfloat16 both")
    settings = RecognizerSettings(device="cpu", encoder_precision="bfloat16" if encoder else "float32")
    recognizer = FunAsrNanoRecognizer.load(resolve("demo"), settings)
    if way in ("bfloat16 LLM", "bfloat16 both"):
        lower_llm_precision(recognizer._model)
        recognizer._decode = load_decoder(recognizer._model, recognizer._end_ids)
    if way == "int8 encoder":
        parts = recognizer._model.model
        parts.audio_tower = quantize_dynamic(parts.audio_tower, {torch.nn.Linear}, torch.qint8)
    return recognizer


@torch.inference_mode()
def measure_width() -> dict[str, float]:
    """Wall seconds of encoding with two threads, as ratios."""
    torch.set_num_threads(2)
    plain = build_model(layers=LAYERS, vocab_size=1_000)
    lowered, quantized = deepcopy(plain), deepcopy(plain)
    lower_encoder_precision(lowered)
    quantized.model.audio_tower = quantize_dynamic(quantized.model.audio_tower, {torch.nn.Linear}, torch.qint8)
    models = {"float32": plain, "bfloat16": lowered, "int8": quantized}
    took: dict[str, list[float]] = {way: [] for way in models}
    for _ in range(ROUNDS):
        for way, model in models.items():
            took[way].append(_seconds(lambda model=model: encode(model, *FRAMES)))
    return {way: statistics.median(own) / statistics.median(took["float32"]) for way, own in took.items()}


def _seconds(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
