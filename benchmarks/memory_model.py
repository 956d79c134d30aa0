"""Is the memory model right, and what does it do with cards of any size?

    python -m benchmarks.memory_model [--store]

Encodes, reads and writes with layers of full width and random weights, few of them (what is alive at once does not hang
on their number), and counts the bytes that torch takes at the worst moment, on a CPU; for models of every family. Then
plans for graphics cards of common sizes, from the sizes of whole models. `--store` keeps the result in
benchmarks/results/memory_model.json.
"""

import argparse
import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile
from transformers import (
    FunAsrNanoConfig,
    FunAsrNanoForConditionalGeneration,
    GlmAsrConfig,
    GlmAsrForConditionalGeneration,
    Qwen3ASRConfig,
    Qwen3ASRForConditionalGeneration,
    WhisperConfig,
    WhisperForConditionalGeneration,
)

from benchmarks import tables
from benchmarks.hardware import describe_machine
from funasr_beam.model.recognizers.decoding.forward import Prompts, prefill, step
from funasr_beam.model.recognizers.decoding.slots import lay_out
from funasr_beam.model.recognizers.decoding.weights import share_weights
from funasr_beam.model.recognizers.greedy import decode_greedily
from funasr_beam.model.recognizers.loading import lower_llm_precision, lower_precision
from funasr_beam.model.recognizers.memory import GPU, MemoryPlan, plan, plan_windows
from funasr_beam.model.recognizers.memory_needs import MemoryNeeds, needs_of, position_bytes

RESULT = Path(__file__).parent / "results" / "memory_model.json"
CARDS_GIB = (8, 16, 24, 40, 80)
CONTEXT_GIB = 0.7
"""What a process takes of a card before it holds anything, and what a card lacks of its name; assumed."""
ENCODED_S = ((8, 6.0), (4, 30.0), (16, 8.0))
"""Rows and seconds of each; a Whisper fills them up to 30."""
READ = ((8, 128), (16, 96), (2, 600))
WRITTEN = ((2, 4), (4, 220))
"""Rows of a Whisper, and tokens of their prompts."""


@dataclass(frozen=True)
class Peak:
    """What one piece of work took, and what the model said."""

    family: str
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
    print("| family | work | precision | rows x positions | measured MB | modelled MB | ratio |\n" + "| --- " * 7 + "|")
    peaks = []
    for peak in itertools.chain.from_iterable(measure(build(layers=2)) for build in FAMILIES.values()):
        peaks.append(peak)
        ratio = peak.modelled_bytes / peak.measured_bytes
        sizes = f"{peak.rows} x {peak.positions}"
        sums = f"{peak.measured_bytes / 1e6:.1f} | {peak.modelled_bytes / 1e6:.1f} | {ratio:.2f}"
        print(f"| {peak.family} | {peak.what} | {peak.precision} | {sizes} | {sums} |", flush=True)
    content = {
        "machine": describe_machine(),
        "context_gib": CONTEXT_GIB,
        "peaks": [asdict(peak) for peak in peaks],
        "cards": {name: plan_cards(build) for name, build in FAMILIES.items()},
    }
    print(f"\n{tables.cards(content)}")
    if arguments.store:
        RESULT.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def build_fun_asr_nano(layers: int | None = None, **text: int) -> Any:
    """A Fun-ASR-Nano of full width with random weights.

    Args:
        layers: of encoder and language model; None: as published.
        text: what is different in the language model.
    """
    config = FunAsrNanoConfig()
    for part in (config.audio_config, config.adaptor_config, config.text_config):
        part._attn_implementation = "sdpa"
    _shorten(config.text_config, layers, text)
    if layers is not None:
        config.audio_config.num_hidden_layers = layers
        config.audio_config.num_timestamp_prediction_layers = 1
    return FunAsrNanoForConditionalGeneration(config).eval().requires_grad_(False)


def build_qwen3_asr(layers: int | None = None, **text: int) -> Any:
    """A Qwen3-ASR-1.7B likewise."""
    config = Qwen3ASRConfig()
    config.audio_config.num_hidden_layers = layers or config.audio_config.num_hidden_layers
    _shorten(config.text_config, layers, text)
    return _build(Qwen3ASRForConditionalGeneration, config)


def build_glm_asr(layers: int | None = None, **text: int) -> Any:
    """A GLM-ASR-Nano likewise."""
    config = GlmAsrConfig()
    config.audio_config.num_hidden_layers = layers or config.audio_config.num_hidden_layers
    _shorten(config.text_config, layers, text)
    return _build(GlmAsrForConditionalGeneration, config)


def build_whisper(layers: int | None = None, vocab_size: int = 51_866) -> Any:
    """A Whisper large-v3 likewise."""
    config = WhisperConfig(
        d_model=1_280,
        encoder_layers=layers or 32,
        decoder_layers=layers or 32,
        encoder_attention_heads=20,
        decoder_attention_heads=20,
        encoder_ffn_dim=5_120,
        decoder_ffn_dim=5_120,
        num_mel_bins=128,
        vocab_size=vocab_size,
        **dict.fromkeys(("pad_token_id", "bos_token_id", "eos_token_id", "decoder_start_token_id"), 0),
    )
    return _build(WhisperForConditionalGeneration, config)


FAMILIES: dict[str, Callable[..., Any]] = {
    "Fun-ASR-Nano": build_fun_asr_nano,
    "Qwen3-ASR-1.7B": build_qwen3_asr,
    "GLM-ASR-Nano": build_glm_asr,
    "Whisper large-v3": build_whisper,
}


def _shorten(config: Any, layers: int | None, changes: dict[str, int]) -> None:
    for key, value in changes.items():
        setattr(config, key, value)
    if layers is not None:
        config.num_hidden_layers = layers
        if getattr(config, "layer_types", None):
            config.layer_types = config.layer_types[:layers]


def _build(kind: Any, config: Any) -> Any:
    config._attn_implementation = "sdpa"
    return kind(config).eval().requires_grad_(False)


@torch.inference_mode()
def measure(model: Any) -> Iterator[Peak]:
    """Peaks of all kinds of work: in float32, then in bfloat16."""
    family, is_whisper = model.config.model_type, model.config.model_type == "whisper"
    for precision in (torch.float32, torch.bfloat16):
        if precision is torch.bfloat16:
            lower_precision(model)
        name, needs = str(precision).removeprefix("torch."), needs_of(model)
        for rows, seconds in ENCODED_S:
            frames = needs.frames(30.0 if is_whisper else seconds)
            taken = peak_bytes(lambda rows=rows, frames=frames: encode(model, rows, frames))
            yield Peak(family, "encode", name, rows, frames, taken, needs.encoding(rows * frames, frames))
        work = {"whisper": _measure_windows, "glmasr": _measure_greedy}.get(family, _measure_engine)
        for what, rows, positions, taken, modelled in work(model, needs):
            yield Peak(family, what, name, rows, positions, taken, modelled)


def _measure_engine(model: Any, needs: MemoryNeeds) -> Iterator[tuple[str, int, int, int, int]]:
    """Work, rows, positions, measured and modelled bytes of this project's decoder."""
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

        yield "read", rows, positions, peak_bytes(read), needs.reading(rows * positions, rows)
        yield "write", rows, positions, peak_bytes(write), rows * needs.row


def _measure_greedy(model: Any, needs: MemoryNeeds) -> Iterator[tuple[str, int, int, int, int]]:
    """The same of transformers' own layers, with prompts of two lengths."""
    size, dtype = model.config.text_config.hidden_size, model.lm_head.weight.dtype
    for rows, positions in READ:
        prompts = [torch.zeros(positions - place % 2, size, dtype=dtype) for place in range(rows)]

        def read(prompts: Any = prompts) -> None:
            decode_greedily(model, prompts, [2] * len(prompts), frozenset())

        # Nothing is copied yet.
        held = rows * (positions + 2) * position_bytes(model.config.text_config, dtype.itemsize)
        yield "read", rows, positions, peak_bytes(read), held + needs.reading(rows * positions, rows)


def _measure_windows(model: Any, needs: MemoryNeeds) -> Iterator[tuple[str, int, int, int, int]]:
    """The same of a Whisper, which reads the prompt and writes two tokens with the window beside it."""
    config, dtype = model.config, model.proj_out.weight.dtype
    for rows, prompt in WRITTEN:

        def write(rows: int = rows, prompt: int = prompt) -> None:
            encoded = torch.zeros(rows, config.max_source_positions, config.d_model, dtype=dtype)
            ids, cache = torch.zeros(rows, prompt, dtype=torch.int64), None
            for _ in range(2):
                outputs = model.model.decoder(
                    input_ids=ids, encoder_hidden_states=encoded, past_key_values=cache, use_cache=True
                )
                model.proj_out(outputs.last_hidden_state[:, -1]).float().log_softmax(-1)
                ids, cache = ids[:, -1:], outputs.past_key_values

        yield "write", rows, prompt, peak_bytes(write), rows * needs.writing(prompt, prompt + 1)


def encode(model: Any, rows: int, frames: int) -> Any:
    """Encode a batch of which half is shorter, its features included."""
    if model.config.model_type == "fun_asr_nano":
        mask = torch.ones(rows, frames, dtype=torch.int32)
        mask[rows // 2 :, frames * 4 // 5 :] = 0
        features = torch.zeros(rows, frames, model.config.audio_config.input_size)
        return model.get_audio_features(features, mask, return_dict=True)
    audio = getattr(model.config, "audio_config", model.config)
    mel_frames = round(frames / needs_of(model).frames_per_s * 100)
    dtype = next(model.parameters()).dtype
    features = torch.zeros(rows, audio.num_mel_bins, mel_frames, dtype=dtype)
    if model.config.model_type == "whisper":
        return model.model.encoder(features)
    mask = torch.ones(rows, mel_frames, dtype=torch.int32)
    mask[rows // 2 :, mel_frames * 4 // 5 :] = 0
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


def plan_cards(build: Callable[[], Any]) -> list[dict[str, float]]:
    """What is done at once on cards of common sizes: float32 encoder, bfloat16 language model or Whisper."""
    with torch.device("meta"):
        model = build()
    is_whisper = model.config.model_type == "whisper"
    (lower_precision if is_whisper else lower_llm_precision)(model)
    weights = sum({id(part): part.numel() * part.element_size() for part in model.parameters()}.values())
    cards = []
    for gib in CARDS_GIB:
        found = _plan(model, round((gib - CONTEXT_GIB) * 2**30) - weights)
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


def _plan(model: Any, free_bytes: int) -> MemoryPlan:
    if model.config.model_type == "whisper":
        return plan_windows(needs_of(model), free_bytes, GPU, 30.0, model.config.max_target_positions)
    return plan(needs_of(model), free_bytes, GPU)


if __name__ == "__main__":
    main()
