"""How much fits: what a loaded Fun-ASR-Nano needs to encode, read and write, and what is done at once for it."""

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from funasr_beam.model.recognizers.decoding.limits import EngineLimits
from funasr_beam.model.records import SAMPLE_RATE, Seconds

FRAMES_PER_S = SAMPLE_RATE / 960
"""Of the encoder."""
UNIT_S = 3_600.0
"""Audio of a unit, whose encoded frames wait together for their texts."""

_LONGEST_FRAMES = 500  # 30 s: each frame is masked from every other one, so that a frame costs more in a long segment
_SMALL_THINGS = 1.03
"""Masks, positions, states of rows: a few percent in small batches."""
_FOR_ANY_BATCH = 256 << 10
"""Of attention's kernels, however small a batch is."""
_GIB = 1 << 30


@dataclass(frozen=True)
class MemoryNeeds:
    """Bytes that a model takes beside its weights."""

    frame: int  # to encode a frame, padding counted, with its features
    mask: int  # and for each frame of the longest of its batch
    kept_frame: int  # of what is kept of a frame until its text is there
    token: int  # to read a token of a prompt, padding counted
    position: int  # for the keys and values of one position of one row
    row: int  # for the scores of a row's next token

    def encoding(self, frames: int, longest: int) -> int:
        """At once, for so many frames with their padding.

        Args:
            frames: of the whole batch.
            longest: frames of its longest utterance.
        """
        return _FOR_ANY_BATCH + frames * (self.frame + longest * self.mask)

    def reading(self, tokens: int, rows: int) -> int:
        """At once, for the prompts of some rows, padding counted."""
        return max(tokens * self.token, rows * self.row + tokens * self.token // 8)


@dataclass(frozen=True)
class MemoryPlan:
    """What is done at once."""

    encoder_padded_s: Seconds
    engine: EngineLimits


@dataclass(frozen=True)
class Shares:
    """How a kind of device is used: what is more than these caps does not make it faster."""

    of_free: float  # of the memory that is free once the weights are loaded
    reserve_bytes: int  # of that, for workspaces of libraries, and for gaps between what is held
    encoder_padded_s: Seconds
    prefill_tokens: int
    rows: int
    positions: int = 512  # of a row that must find a place: a prompt of 30 s with few audio tokens, and its text


GPU = Shares(0.9, _GIB // 2, 960.0, 16_384, 256)
CPU = Shares(0.25, 0, 240.0, 2_048, 32)
"""Several processes share its memory; more rows at once only cost more of it."""


def needs_of(model: Any) -> MemoryNeeds:
    """What a loaded model needs, from its sizes and number types.

    The factors count the tensors that are alive at once at the worst place; `benchmarks.memory_model` holds them
    against what torch takes.

    Args:
        model: transformers' Fun-ASR-Nano.
    """
    audio, adaptor, text = model.config.audio_config, model.config.adaptor_config, model.config.text_config
    number = model.model.audio_tower.layers[0].mlp.fc1.weight.element_size()
    written = model.lm_head.weight.element_size()
    adapted = max(7 * adaptor.hidden_size, adaptor.hidden_size + 2 * adaptor.projector_hidden_size)
    encoded = max(10 * audio.hidden_size + audio.input_size, 3 * audio.hidden_size + 2 * audio.intermediate_size)
    heads = (text.num_attention_heads + 2 * text.num_key_value_heads) * text.head_dim
    read = text.hidden_size + max(7.25 * heads, 4 * text.intermediate_size) + 2 * text.head_dim
    return MemoryNeeds(
        frame=round(_SMALL_THINGS * (number * max(audio.hidden_size + adapted, encoded) + 4 * audio.input_size)),
        mask=1 + number,
        kept_frame=number * audio.hidden_size + written * text.hidden_size,
        token=round(_SMALL_THINGS * written * (read + text.hidden_size)),
        position=written * 2 * text.num_hidden_layers * text.num_key_value_heads * text.head_dim,
        row=round(_SMALL_THINGS * text.vocab_size * (8 if written == 4 else written + 8))
        + 4 * text.hidden_size * written,
    )


def plan(needs: MemoryNeeds, free_bytes: int, shares: Shares) -> MemoryPlan:
    """What is done at once with so much free memory.

    Keys and values stay where they are while others are encoded, and recorded steps keep what they need, so all this
    has to fit together: keys and values, the scores of a step, what waits of a unit, and the larger of encoding and
    reading. The first gets what the others leave.

    Args:
        needs: of the model.
        free_bytes: on the device, once the weights are loaded.
        shares: of the kind of device.
    """
    usable = max(0, round(free_bytes * shares.of_free) - shares.reserve_bytes)
    second_bytes = needs.encoding(round(FRAMES_PER_S), _LONGEST_FRAMES)
    padded_s = min(shares.encoder_padded_s, max(1.0, 0.15 * usable / second_bytes))
    tokens = min(shares.prefill_tokens, max(1, int(0.15 * usable / needs.token)))
    rows = min(shares.rows, _near_power_of_two(0.5 * usable / (needs.position * shares.positions + needs.row)))
    working = max(needs.encoding(round(padded_s * FRAMES_PER_S), _LONGEST_FRAMES), needs.reading(tokens, rows))
    kept = min(round(UNIT_S * FRAMES_PER_S) * needs.kept_frame, usable // 5)
    left = usable - working - kept - rows * needs.row
    most = shares.rows * shares.positions * 4 * needs.position
    return MemoryPlan(padded_s, EngineLimits(max(0, min(left, most)), rows, tokens))


def _near_power_of_two(number: float) -> int:
    """Steps are recorded for such numbers of rows."""
    return 1 << max(0, round(math.log2(max(1.0, number))))


def plan_for(model: Any, device: torch.device) -> MemoryPlan:
    """The plan for a model that is loaded on its device, by the memory that is free there now."""
    return plan(needs_of(model), free_bytes(device), GPU if device.type == "cuda" else CPU)


def free_bytes(device: torch.device) -> int:
    """Memory that may still be taken there."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        # What torch holds without using it is taken again before more is asked for.
        return int(free) + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return min(_available_bytes(), _left_in_container())


def _available_bytes() -> int:
    """What the machine has left."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:  # no Linux
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    (line,) = (line for line in lines if line.startswith("MemAvailable:"))
    return int(line.split()[1]) * 1_024


def _left_in_container(folder: Path = Path("/sys/fs/cgroup")) -> int:
    """What the container may still take; where there is no limit, more than any machine has."""
    try:
        limit, used = ((folder / name).read_text(encoding="ascii").strip() for name in ("memory.max", "memory.current"))
    except OSError:
        return 1 << 60
    return 1 << 60 if limit == "max" else max(0, int(limit) - int(used))
