"""The decoder beside transformers' `generate` and beside the loop over transformers' own layers.

    python -m benchmarks.decoding [--size tiny demo full] [--device auto] [--repeat 3] [--store]

Prompts and budgets are those of segments of 2 to 30 s with low audio tokens and 4.5 tokens per second; texts are
arbitrary and end with their budgets. `generate` and the loop get batches of segments of similar length, the engine gets
the list and the same number of rows. A step is what one more token for all rows takes, without reading the prompts;
operations are those that compute something, as torch dispatches them. Process time of one thread on a CPU, else wall
clock; all ways take turns. `--store` keeps the result in benchmarks/results/decoding_DEVICE.json, a size at a time.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import GenerationConfig
from transformers.utils import logging

from benchmarks.hardware import describe_machine
from funasr_beam.model.checkpoint import resolve
from funasr_beam.model.devices import pick_device
from funasr_beam.model.recognizers.base import RecognizerSettings
from funasr_beam.model.recognizers.decoding.engine import DecodingEngine
from funasr_beam.model.recognizers.decoding.limits import EngineLimits
from funasr_beam.model.recognizers.fun_asr_nano import FunAsrNanoRecognizer
from funasr_beam.model.recognizers.greedy import decode_greedily
from tests.qwen3 import QWEN3_06B, make_prompts, tiny_qwen3

RESULTS = Path(__file__).parent / "results"
ENDLESS: frozenset[int] = frozenset({-1})
WAYS = ("generate", "loop", "engine")
TOKENS_PER_S, PROMPT_TOKENS, AUDIO_TOKENS_PER_S = 4.5, 30, 2.1

Result = TypeVar("Result")
Decode = Callable[[Sequence[torch.Tensor], Sequence[int]], list[tuple[int, ...]]]


@dataclass(frozen=True)
class Score:
    """One way, on one model."""

    step_ms: float
    operations: int | None  # of a step; None: not counted
    queue_s: tuple[float, ...]  # for the whole list, each time
    same_text: int  # of the list's, as the loop writes them
    of: int


class Operations(TorchDispatchMode):
    """Counts operations that are no mere views."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Do it, and count it; what is made of several operations counts as those."""
        with self:
            result = func.decompose(*args, **(kwargs or {}))
        if result is not NotImplemented:
            return result
        aliases = [item.alias_info for item in func._schema.returns]
        self.count += not any(alias is not None and not alias.is_write for alias in aliases)
        return func(*args, **(kwargs or {}))


def main() -> None:
    """Measure, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", nargs="+", choices=("tiny", "demo", "full"), default=["tiny", "demo"])
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--rows", type=int, default=16, help="decoded at once")
    parser.add_argument("--count", type=int, default=48, help="segments in the list")
    parser.add_argument("--steps", type=int, default=16, help="over which a step is timed")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--store", action="store_true", help="keep the result")
    arguments = parser.parse_args()
    logging.set_verbosity_error()  # transformers would warn of texts that never end
    torch.set_num_threads(1)  # threads that wait for each other on a busy machine would count as work
    device = pick_device(arguments.device)
    print("| model | way | ms per step | operations per step | list (s) | spread | of loop | same text |")
    print("| --- | --- | ---: | ---: | ---: | --- | ---: | ---: |")
    for size in arguments.size:
        scores = measure(load(size, device), device, arguments)
        show(size, scores)
        if arguments.store:
            store(size, scores, device, arguments)


def load(size: str, device: torch.device) -> Any:
    """A model; the language model of "tiny" and "full" alone, of random weights."""
    if size == "demo":
        recognizer = FunAsrNanoRecognizer.load(resolve("demo"), RecognizerSettings(device=device.type))
        return recognizer._model
    model = tiny_qwen3(**(QWEN3_06B if size == "full" else {}))
    return model.to(device, torch.bfloat16 if device.type == "cuda" else torch.float32)


@torch.inference_mode()
def measure(model: Any, device: torch.device, arguments: argparse.Namespace) -> dict[str, Score]:
    """A score for each way."""
    durations_s = sorted((Random(place).uniform(2.0, 30.0) for place in range(arguments.count)), reverse=True)
    lengths = [PROMPT_TOKENS + round(AUDIO_TOKENS_PER_S * seconds) for seconds in durations_s]
    budgets = [round(TOKENS_PER_S * seconds) for seconds in durations_s]
    prompts = make_prompts(model, lengths, 0)
    ways = make_ways(model, arguments.rows)
    times: dict[str, list[float]] = {name: [] for name in ways}
    texts: dict[str, list[tuple[int, ...]]] = {}
    for turn in range(arguments.repeat + (device.type == "cuda")):
        for name, decode in ways.items():
            took_s, texts[name] = timed(device, lambda decode=decode: decode(prompts, budgets))
            if turn > 0 or device.type == "cpu":  # on a GPU the first one records
                times[name].append(took_s)
    return {
        name: Score(
            step_ms=1e3 * step_s(decode, prompts[: arguments.rows], device, arguments),
            # As many for any length and number. A recorded step is one to torch, whatever is in it.
            operations=None if device.type == "cuda" else operations(decode, [prompt[:8] for prompt in prompts[:2]]),
            queue_s=tuple(times[name]),
            same_text=sum(one == other for one, other in zip(texts[name], texts["loop"], strict=True)),
            of=len(prompts),
        )
        for name, decode in ways.items()
    }


def make_ways(model: Any, rows: int) -> dict[str, Decode]:
    """The ways by name; each takes a list of any length."""
    engine = DecodingEngine(model, ENDLESS, EngineLimits(max_rows=rows))

    def in_batches(decode: Decode) -> Decode:
        return lambda prompts, budgets: [
            text
            for first in range(0, len(prompts), rows)
            for text in decode(prompts[first : first + rows], budgets[first : first + rows])
        ]

    return {
        "generate": in_batches(lambda prompts, budgets: generate(model, prompts, budgets)),
        "loop": in_batches(
            lambda prompts, budgets: [item.token_ids for item in decode_greedily(model, prompts, budgets, ENDLESS)]
        ),
        "engine": lambda prompts, budgets: [item.token_ids for item in engine.decode(prompts, budgets)],
    }


def generate(model: Any, prompts: Sequence[torch.Tensor], budgets: Sequence[int]) -> list[tuple[int, ...]]:
    """What transformers writes for a left-padded batch; it knows one budget."""
    longest = max(map(len, prompts))
    embeds = torch.stack([torch.nn.functional.pad(prompt, (0, 0, longest - len(prompt), 0)) for prompt in prompts])
    lengths = torch.tensor([len(prompt) for prompt in prompts], device=embeds.device)
    mask = (torch.arange(longest, device=embeds.device) >= longest - lengths[:, None]).long()
    config = GenerationConfig(do_sample=False, max_new_tokens=max(budgets), eos_token_id=-1, pad_token_id=0)
    written = model.generate(inputs_embeds=embeds, attention_mask=mask, generation_config=config).tolist()
    return [tuple(row[:budget]) for row, budget in zip(written, budgets, strict=True)]


def step_s(
    decode: Decode, prompts: Sequence[torch.Tensor], device: torch.device, arguments: argparse.Namespace
) -> float:
    """What one token more for all rows takes: long texts against texts of one token; the median of several."""
    steps = arguments.steps
    found = []
    for tokens in (1, 1 + steps):
        decode(prompts, [tokens] * len(prompts))  # a GPU's steps are recorded now
    for _ in range(arguments.repeat + 2):
        times = [timed(device, lambda n=n: decode(prompts, [n] * len(prompts)))[0] for n in (1, 1 + steps)]
        found.append((times[1] - times[0]) / steps)
    return statistics.median(found)


def operations(decode: Decode, prompts: Sequence[torch.Tensor]) -> int:
    """Operations of one token more for all rows."""
    counts = []
    for tokens in (4, 5):
        with Operations() as counter:
            decode(prompts, [tokens] * len(prompts))
        counts.append(counter.count)
    return counts[1] - counts[0]


def timed(device: torch.device, work: Callable[[], Result]) -> tuple[float, Result]:
    """Seconds, of the process on a CPU, of the clock on a GPU; and what came of them."""
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    began = clock()
    result = work()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return clock() - began, result


def show(size: str, scores: dict[str, Score]) -> None:
    """A line for each way."""
    loop_s = statistics.median(scores["loop"].queue_s)
    for name, score in scores.items():
        median_s = statistics.median(score.queue_s)
        spread = f"{min(score.queue_s):.2f}-{max(score.queue_s):.2f}"
        ratio = f"{loop_s / median_s:.2f}x"
        cells = (size, name, f"{score.step_ms:.2f}", score.operations or "-", f"{median_s:.2f}", spread, ratio)
        print("|", " | ".join(map(str, cells)), f"| {score.same_text} of {score.of} |", flush=True)


def store(size: str, scores: dict[str, Score], device: torch.device, arguments: argparse.Namespace) -> None:
    """Keep the scores beside those of other sizes."""
    path = RESULTS / f"decoding_{device.type}.json"
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"sizes": {}}
    name = torch.cuda.get_device_name() if device.type == "cuda" else "cpu"
    known |= {"machine": describe_machine(), "device": name}
    asked = {key: getattr(arguments, key) for key in ("rows", "count", "steps", "repeat")}
    known["sizes"][size] = asked | {name: asdict(score) for name, score in scores.items()}
    path.write_text(json.dumps(known, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
