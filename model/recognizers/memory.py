"""How much fits: what is encoded, read and written at once, by what a loaded model needs and what is free."""

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from funasr_beam.model.recognizers.base import GPU_UNIT_S
from funasr_beam.model.recognizers.decoding.limits import EngineLimits
from funasr_beam.model.recognizers.memory_needs import MemoryNeeds, needs_of
from funasr_beam.model.records import Seconds

_LONGEST_FRAMES = 500  # 30 s: each frame is masked from every other one, so that a frame costs more in a long segment
_GIB = 1 << 30


@dataclass(frozen=True)
class MemoryPlan:
    """What is done at once."""

    encoder_padded_s: Seconds
    engine: EngineLimits
    waiting_s: Seconds = math.inf  # audio whose encoded frames wait together for their texts


@dataclass(frozen=True)
class Shares:
    """How a kind of device is used: what is more than these caps does not make it faster."""

    of_free: float  # of the memory that is free once the weights are loaded
    reserve_bytes: int  # of that, for workspaces of libraries, and for gaps between what is held
    encoder_padded_s: Seconds
    prefill_tokens: int
    rows: int
    positions: int = 512  # of a row that must find a place: a prompt of 30 s with few audio tokens, and its text

    def usable(self, free_bytes: int) -> int:
        """What a model may take of the memory that is free."""
        return max(0, round(free_bytes * self.of_free) - self.reserve_bytes)


GPU = Shares(0.9, _GIB // 2, 960.0, 16_384, 256)
CPU = Shares(0.25, 0, 240.0, 2_048, 32)
"""Several processes share its memory; more rows at once only cost more of it."""


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
    usable = shares.usable(free_bytes)
    padded_s = _encoded_at_once_s(needs, usable, shares)
    tokens = min(shares.prefill_tokens, max(1, int(0.15 * usable / needs.token)))
    rows = min(shares.rows, _near_power_of_two(0.5 * usable / (needs.position * shares.positions + needs.row)))
    working = max(needs.encoding(needs.frames(padded_s), _LONGEST_FRAMES), needs.reading(tokens, rows))
    kept = min(needs.frames(GPU_UNIT_S) * needs.kept_frame, usable // 5)
    left = usable - working - kept - rows * needs.row
    most = shares.rows * shares.positions * 4 * needs.position
    engine = EngineLimits(max(0, min(left, most)), rows, tokens)
    return MemoryPlan(padded_s, engine, kept / (needs.kept_frame * needs.frames_per_s))


def plan_windows(needs: MemoryNeeds, free_bytes: int, shares: Shares, window_s: Seconds, positions: int) -> MemoryPlan:
    """The same for a model whose rows are written together, from the first to the last token, with a window each.

    Args:
        needs: of the model.
        free_bytes: on the device, once the weights are loaded.
        shares: of the kind of device.
        window_s: what is encoded of a row, however little was said.
        positions: the most of a row, half of which its prompt may take.
    """
    usable = shares.usable(free_bytes)
    padded_s = max(window_s, _encoded_at_once_s(needs, usable, shares))
    # Nothing is encoded while rows are written.
    rows = max(1, min(shares.rows, usable // needs.writing(positions // 2, positions)))
    return MemoryPlan(padded_s, EngineLimits(rows * positions * needs.position, rows, rows * positions // 2))


def _encoded_at_once_s(needs: MemoryNeeds, usable: int, shares: Shares) -> Seconds:
    """Audio with its padding; the weights' copies and such, which any batch takes, are no reason to encode less."""
    second_bytes = needs.encoding(needs.frames(1.0), _LONGEST_FRAMES) - needs.any_batch
    return min(shares.encoder_padded_s, max(1.0, (0.15 * usable - needs.any_batch) / second_bytes))


def _near_power_of_two(number: float) -> int:
    """Steps are recorded for such numbers of rows."""
    return 1 << max(0, round(math.log2(max(1.0, number))))


def plan_for(model: Any, device: torch.device, reserve_bytes: int = 0) -> MemoryPlan:
    """The plan for a model that is loaded on its device, by the memory that is free there now.

    Args:
        model: of transformers.
        device: where it is.
        reserve_bytes: of that memory, left to others.
    """
    needs, shares = needs_of(model), GPU if device.type == "cuda" else CPU
    free = max(0, free_bytes(device) - reserve_bytes)
    if model.config.model_type == "whisper":
        window_s = model.config.max_source_positions / needs.frames_per_s
        return plan_windows(needs, free, shares, window_s, model.config.max_target_positions)
    return plan(needs, free, shares)


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
