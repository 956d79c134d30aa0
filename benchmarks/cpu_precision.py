"""Does a lower precision pay on a CPU, and what does it do to the text?

    python -m benchmarks.cpu_precision [--parts demo layers full] [--work FOLDER] [--store]

demo: the demo checkpoint on held-out speech in float32, with bfloat16 in encoder and adaptor, in the language model, in
both, and with the linear layers of the encoder in int8; and with their numbers rounded as a GPU does for TF32, which
tells what that does to the text, and nothing of its speed. layers: some of the encoder in their published width. full:
a checkpoint of full size through the whole recogniser, each turn in a process of its own (its texts are arbitrary: only
time is looked at). Weights of the last two are random. The ways take turns, so that all see the same load, and a ratio
is the median over the rounds. All times are CPU seconds of one thread, which other work on the machine disturbs least.
`--store` keeps the result in benchmarks/results/cpu_precision.json, a part at a time.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch.ao.quantization import quantize_dynamic

from benchmarks import tables
from benchmarks.demo_checkpoint import CHANNELS, error_rate, held_out
from benchmarks.hardware import describe_machine, peak_mb
from benchmarks.memory_model import build_fun_asr_nano, encode
from benchmarks.profiles import PROFILES, TOKENS_PER_S, durations, utterances
from benchmarks.random_checkpoints import SIZES, make_checkpoint
from funasr_beam.model.checkpoint import resolve
from funasr_beam.model.demo_speech.recording import SyntheticRecording
from funasr_beam.model.demo_speech.sentences import LANGUAGES
from funasr_beam.model.products import QuickLinear, use_quick_linears
from funasr_beam.model.recognizers.base import EncoderPrecision, LlmPrecision, RecognizerSettings, Utterance
from funasr_beam.model.recognizers.fun_asr_nano import FunAsrNanoRecognizer
from funasr_beam.model.recognizers.loading import lower_encoder_precision
from funasr_beam.model.records import RecognitionOptions
from funasr_beam.model.stage_clock import DECODE, ENCODER, PREFILL, StageClock

RESULT = Path(__file__).parent / "results" / "cpu_precision.json"
PLAIN = "float32"
PRECISIONS: dict[str, tuple[EncoderPrecision, LlmPrecision]] = {
    PLAIN: ("float32", "float32"),
    "bfloat16 encoder": ("bfloat16", "float32"),
    "bfloat16 LLM": ("float32", "bfloat16"),
    "bfloat16 both": ("bfloat16", "bfloat16"),
}
INT8 = "int8 encoder"
TF32 = "tf32 encoder, emulated"
FULL_WAYS = (PLAIN, "bfloat16 LLM", "bfloat16 both")
LAYERS = 4
FRAMES = (4, 250)

Found = TypeVar("Found")


def main() -> None:
    """Print a table for each part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--count", type=int, default=12, help="recordings of each language and channel; demo")
    parser.add_argument("--profile", choices=PROFILES, default="calls", help="lengths of segments; full")
    parser.add_argument("--hours", type=float, default=0.04, help="of audio; full")
    parser.add_argument("--size", choices=SIZES, default="full", help="of the checkpoint; full")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--work", type=Path, help="where the checkpoint of full size is kept; none: thrown away")
    parser.add_argument("--store", action="store_true", help="keep the result")
    parser.add_argument("--turn", choices=FULL_WAYS, help="take this one of full in this process, and print it as JSON")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.turn:
        print(json.dumps(take_turn(arguments)))
        return
    for part in arguments.parts:
        found = PARTS[part](arguments)
        print(TABLES[part](found), flush=True)
        if arguments.store:
            store(part, found)


def measure_demo(arguments: argparse.Namespace) -> dict[str, Any]:
    """CPU seconds as ratios, errors, and how many texts are those of float32."""
    recordings = [
        item for language in LANGUAGES for channel in CHANNELS for item in held_out(language, channel, arguments.count)
    ]
    asked = [as_utterance(item) for item in recordings]
    recognizers = {way: load_demo(way) for way in (*PRECISIONS, INT8, TF32)}

    def recognize(way: str) -> tuple[float, list[str]]:
        began = time.process_time()
        texts = [hypothesis.text for hypothesis in recognizers[way].recognize(asked)]
        return time.process_time() - began, texts

    turns = take_turns(recognizers, recognize, arguments.rounds)
    ratios = to_plain({way: [took_s for took_s, _ in own] for way, own in turns.items()})
    texts = {way: own[-1][1] for way, own in turns.items()}
    ways = {
        way: ({} if way == TF32 else ratios[way])
        | {
            "equal_texts": sum(map(str.__eq__, texts[way], texts[PLAIN])),
            "errors_percent": error_rate(recordings, texts[way]),
        }
        for way in turns
    }
    return {"recordings": len(recordings), "audio_s": sum(item.duration_s for item in recordings), "ways": ways}


def as_utterance(recording: SyntheticRecording) -> Utterance:
    """What the recogniser is given of a recording."""
    samples = np.round(np.clip(recording.samples, -1, 1) * 32767).astype(np.int16)
    return Utterance(samples, RecognitionOptions(recording.language))


def load_demo(way: str) -> FunAsrNanoRecognizer:
    """The demo checkpoint in one of the ways."""
    encoder, llm = PRECISIONS.get(way, PRECISIONS[PLAIN])
    settings = RecognizerSettings(device="cpu", encoder_precision=encoder, llm_precision=llm)
    recognizer = FunAsrNanoRecognizer.load(resolve("demo"), settings)
    if way == INT8:
        recognizer._model.model.audio_tower = quantize(recognizer._model.model.audio_tower)
    if way == TF32:
        for part in (recognizer._model.model.audio_tower, recognizer._model.model.multi_modal_projector):
            round_to_tf32(part)
    return recognizer


class RoundedLinear(QuickLinear):
    """A linear layer that is given what a GPU makes of its input for a product in TF32."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(..., in) to (..., out)."""
        return super().forward(as_tf32(x))


def round_to_tf32(part: torch.nn.Module) -> None:
    """Have the linear layers of a part compute as a GPU does in TF32."""
    for module in part.modules():
        if type(module) is QuickLinear:
            module.weight.copy_(as_tf32(module.weight))
            module.__class__ = RoundedLinear


def as_tf32(x: torch.Tensor) -> torch.Tensor:
    """The nearest numbers of 11 significant bits."""
    bits = x.contiguous().view(torch.int32)
    return ((bits + 0x1000) & ~0x1FFF).view(torch.float32)


def quantize(encoder: torch.nn.Module) -> Any:
    """The encoder with its linear layers in int8."""
    for module in encoder.modules():
        if type(module) is QuickLinear:
            module.__class__ = torch.nn.Linear  # torch leaves what it does not know as it is
    return quantize_dynamic(encoder, {torch.nn.Linear}, torch.qint8)


@torch.inference_mode()
def measure_layers(arguments: argparse.Namespace) -> dict[str, Any]:
    """CPU seconds of encoding, as ratios."""
    plain = build_fun_asr_nano(layers=LAYERS, vocab_size=1_000)
    use_quick_linears(plain)
    lowered, quantized = deepcopy(plain), deepcopy(plain)
    lower_encoder_precision(lowered)
    quantized.model.audio_tower = quantize(quantized.model.audio_tower)
    models = {PLAIN: plain, "bfloat16 encoder": lowered, INT8: quantized}

    def run(way: str) -> float:
        began = time.process_time()
        encode(models[way], *FRAMES)
        return time.process_time() - began

    turns = take_turns(models, run, arguments.rounds)
    return {"layers": LAYERS, "ways": to_plain(turns)}


def measure_full(arguments: argparse.Namespace) -> dict[str, Any]:
    """Speed of the whole recogniser and of its stages."""
    with tempfile.TemporaryDirectory() as scratch:
        arguments.work = arguments.work or Path(scratch)
        make_checkpoint(arguments.work, arguments.size)
        asked = {name: getattr(arguments, name) for name in ("profile", "hours", "size")}
        options = [f"--{name}={value}" for name, value in (asked | {"work": arguments.work}).items()]
        command = [sys.executable, "-m", "benchmarks.cpu_precision", *options]

        def run(way: str) -> dict[str, float]:
            done = subprocess.run([*command, "--turn", way], check=True, stdout=subprocess.PIPE, text=True)
            print(f"{way}: {done.stdout}", end="", file=sys.stderr, flush=True)
            turn: dict[str, float] = json.loads(done.stdout)
            return turn

        turns = take_turns(dict.fromkeys(FULL_WAYS), run, arguments.rounds, warm_up=False)
    lengths = durations(arguments.profile, arguments.hours)
    ratios = to_plain({way: [turn["cpu_s"] for turn in own] for way, own in turns.items()})
    medians = {way: {key: statistics.median(turn[key] for turn in own) for key in own[0]} for way, own in turns.items()}
    ways = {way: ratios[way] | medians[way] for way in turns}
    return asked | {"rounds": arguments.rounds, "segments": len(lengths), "audio_s": sum(lengths), "ways": ways}


def take_turn(arguments: argparse.Namespace) -> dict[str, float]:
    """Load the checkpoint of full size in one way, and recognise everything once."""
    encoder, llm = PRECISIONS[arguments.turn]
    clock = StageClock(now=time.thread_time)
    settings = RecognizerSettings(
        "cpu",
        base_tokens=0,
        encoder_precision=encoder,
        llm_precision=llm,
        tokens_per_s=TOKENS_PER_S,
        clock=clock,
    )
    checkpoint = make_checkpoint(arguments.work, arguments.size)
    recognizer = FunAsrNanoRecognizer.load(resolve(str(checkpoint.converted)), settings)
    lengths = durations(arguments.profile, arguments.hours)
    heard = utterances(lengths)
    recognizer.recognize(heard[:1])  # libraries choose their kernels
    clock.reset()
    began = time.process_time()
    recognizer.recognize(heard)
    cpu_s = time.process_time() - began
    stages = clock.read()
    return {
        "cpu_s": cpu_s,
        "x_realtime_of_cpu": sum(lengths) / cpu_s,
        "encoder_s": stages[ENCODER].seconds,
        "prefill_s": stages[PREFILL].seconds,
        "decode_s": stages[DECODE].seconds,
        "ms_per_step": 1e3 * stages[DECODE].seconds / stages[DECODE].count,
        "peak_mb": peak_mb(),
    }


def take_turns(
    ways: Mapping[str, object], work: Callable[[str], Found], rounds: int, *, warm_up: bool = True
) -> dict[str, list[Found]]:
    """What each way gives in each round; who begins changes from round to round."""
    names = list(ways)
    found: dict[str, list[Found]] = {name: [] for name in names}
    for number in range(-1 if warm_up else 0, rounds):
        begin = number % len(names)
        for name in names[begin:] + names[:begin]:
            outcome = work(name)
            if number >= 0:
                found[name].append(outcome)
    return found


def to_plain(took: Mapping[str, list[float]]) -> dict[str, dict[str, float]]:
    """Seconds as ratios to float32's of the same round."""
    ratios = {
        way: [own_s / plain_s for own_s, plain_s in zip(own, took[PLAIN], strict=True)] for way, own in took.items()
    }
    return {
        way: {"ratio": statistics.median(own), "fastest": min(own), "slowest": max(own)} for way, own in ratios.items()
    }


def store(part: str, found: Mapping[str, Any]) -> None:
    """Keep a part beside the others."""
    known = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.exists() else {}
    content = known | {"machine": describe_machine(), part: found}
    RESULT.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


PARTS: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    "demo": measure_demo,
    "layers": measure_layers,
    "full": measure_full,
}
TABLES = {"demo": tables.precision_demo, "layers": tables.precision_layers, "full": tables.precision_full}

if __name__ == "__main__":
    main()
