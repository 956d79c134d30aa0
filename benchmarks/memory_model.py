"""Is the memory model right, and what does it do with cards of any size?

    python -m benchmarks.memory_model [--store]

Encodes, reads and writes with layers of full width and random weights, few of them (what is alive at once does not hang
on their number), and counts the bytes that torch takes at the worst moment, on a CPU. Then plans for graphics cards of
common sizes, from the sizes of the whole model. `--store` keeps the result in benchmarks/results/memory_model.json.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile
from transformers import FunAsrNanoConfig, FunAsrNanoForConditionalGeneration

from benchmarks import tables
from benchmarks.hardware import describe_machine
from funasr_beam.model.recognizers.decoding.forward import Prompts, prefill, step
from funasr_beam.model.recognizers.decoding.slots import lay_out
from funasr_beam.model.recognizers.decoding.weights import share_weights
from funasr_beam.model.recognizers.loading import lower_encoder_precision, lower_llm_precision
from funasr_beam.model.recognizers.memory import GPU, MemoryNeeds, needs_of, plan

RESULT = Path(__file__).parent / "results" / "memory_model.json"
CARDS_GIB = (8, 16, 24, 40, 80)
CONTEXT_GIB = 0.7
"""What a process takes of a card before it holds anything, and what a card lacks of its name; assumed."""
ENCODED = ((8, 83), (4, 500), (16, 250))
READ = ((8, 128), (16, 96), (2, 600))


@dataclass(frozen=True)
class Peak:
    """What one piece of work took, and what the model said."""

    what: str
    precision: str
    rows: int
    positions: int
    measured_bytes: int
    modelled_bytes: int


def main() -> None:
    """Measure, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", action="store_true", help="keep the result")
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    print("| work | precision | rows x positions | measured MB | modelled MB | ratio |\n" + "| --- " * 6 + "|")
    peaks = []
    for peak in measure(build_model(layers=2)):
        peaks.append(peak)
        ratio = peak.modelled_bytes / peak.measured_bytes
        sizes = f"{peak.rows} x {peak.positions}"
        sums = f"{peak.measured_bytes / 1e6:.1f} | {peak.modelled_bytes / 1e6:.1f} | {ratio:.2f}"
        print(f"| {peak.what} | {peak.precision} | {sizes} | {sums} |", flush=True)
    content = {
        "machine": describe_machine(),
        "context_gib": CONTEXT_GIB,
        "peaks": [asdict(peak) for peak in peaks],
        "cards": plan_cards(),
    }
    print(f"\n{tables.cards(content)}")
    if arguments.store:
        RESULT.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def build_model(layers: int | None = None, **text: int) -> Any:
    """A model of full width with random weights.

    Args:
        layers: of encoder and language model; None: as published.
        text: what is different in the language model.
    """
    config = FunAsrNanoConfig()
    for part in (config.audio_config, config.adaptor_config, config.text_config):
        part._attn_implementation = "sdpa"
    for key, value in text.items():
        setattr(config.text_config, key, value)
    if layers is not None:
        config.audio_config.num_hidden_layers = config.text_config.num_hidden_layers = layers
        config.audio_config.num_timestamp_prediction_layers = 1
        config.text_config.layer_types = config.text_config.layer_types[:layers]
    return FunAsrNanoForConditionalGeneration(config).eval().requires_grad_(False)


@torch.inference_mode()
def measure(model: Any) -> Iterator[Peak]:
    """Peaks of all kinds of work: in float32, then in bfloat16."""
    for precision in (torch.float32, torch.bfloat16):
        if precision is torch.bfloat16:
            lower_encoder_precision(model)
            lower_llm_precision(model)
        name, needs = str(precision).removeprefix("torch."), needs_of(model)
        for rows, frames in ENCODED:
            taken = peak_bytes(lambda rows=rows, frames=frames: encode(model, rows, frames))
            yield Peak("encode", name, rows, frames, taken, needs.encoding(rows * frames, frames))
        yield from _measure_decoding(model, name, needs)


def _measure_decoding(model: Any, name: str, needs: MemoryNeeds) -> Iterator[Peak]:
    weights, end_ids = share_weights(model), torch.tensor([1])
    for rows, positions in READ:
        dtype = weights.embedding.dtype
        memory = torch.zeros(rows * 640 * needs.position // dtype.itemsize, dtype=dtype)
        slots = lay_out(weights, memory, rows, 640)

        def read(rows: int = rows, positions: int = positions, slots: Any = slots) -> None:
            embeddings = torch.zeros(rows, positions, weights.embedding.shape[1], dtype=slots.keys.dtype)
            lengths = torch.full((rows,), positions)
            prefill(weights, slots, end_ids, Prompts(embeddings, lengths, lengths, torch.arange(rows)))

        def write(rows: int = rows, positions: int = positions, slots: Any = slots) -> None:
            step(weights, slots, end_ids, rows, positions + 16)

        yield Peak("read", name, rows, positions, peak_bytes(read), needs.reading(rows * positions, rows))
        yield Peak("write", name, rows, positions, peak_bytes(write), rows * needs.row)


def encode(model: Any, rows: int, frames: int) -> Any:
    """Encode a batch of which half is shorter, its features included."""
    mask = torch.ones(rows, frames, dtype=torch.int32)
    mask[rows // 2 :, frames * 4 // 5 :] = 0
    features = torch.zeros(rows, frames, model.config.audio_config.input_size)
    return model.get_audio_features(features, mask, return_dict=True)


def peak_bytes(work: Callable[[], Any]) -> int:
    """The most that torch's allocator held at once on a CPU for what was taken meanwhile."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        work()
    events = [event for event in profiler.profiler.kineto_results.events() if event.name() == "[memory]"]
    held = most = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += event.nbytes()
        most = max(most, held)
    return most


def plan_cards() -> list[dict[str, float]]:
    """What is done at once on cards of common sizes: float32 encoder, bfloat16 language model."""
    with torch.device("meta"):
        model = build_model()
    model.model.language_model.to(torch.bfloat16)
    model.lm_head.to(torch.bfloat16)
    weights = sum({id(part): part.numel() * part.element_size() for part in model.parameters()}.values())
    cards = []
    for gib in CARDS_GIB:
        found = plan(needs_of(model), round((gib - CONTEXT_GIB) * 2**30) - weights, GPU)
        cards.append(
            {
                "card_gib": gib,
                "encoder_padded_s": found.encoder_padded_s,
                "kv_gib": round(found.engine.kv_bytes / 2**30, 2),
                "rows": found.engine.max_rows,
                "prefill_tokens": found.engine.prefill_tokens,
            }
        )
    return cards


if __name__ == "__main__":
    main()
