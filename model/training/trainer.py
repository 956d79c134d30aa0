"""The training loop: optimizer, schedule, progress lines, and a saved state from which the same command goes on."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, distributed, nn

from funasr_beam.model.training.config import Schedule

SAVE_EVERY_S = 180.0
REPORT_EVERY_S = 20.0
CLIP_NORM = 1.0


@dataclass(frozen=True)
class ProcessGroup:
    """The processes that train a stage together, one thread each: each takes its own batches, gradients are averaged.

    On a CPU that others use too, this is far faster than threads inside one process: those wait for each other at every
    single operation.
    """

    rank: int = 0
    size: int = 1

    def join(self, meeting: Path) -> None:
        """Meet the others by way of a file that does not exist yet."""
        if self.size > 1:
            distributed.init_process_group(
                "gloo", init_method=f"file://{meeting.absolute()}", rank=self.rank, world_size=self.size
            )

    def leave(self) -> None:
        """Part from the others."""
        if self.size > 1:
            distributed.destroy_process_group()

    def average(self, parameters: list[nn.Parameter], elapsed_s: float) -> float:
        """Average the gradients over the processes; all get the first one's elapsed time, so that all agree."""
        if self.size == 1:
            return elapsed_s
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        clock = torch.tensor([elapsed_s if self.rank == 0 else 0.0])
        flat = torch.cat([*(gradient.flatten() for gradient in gradients), clock])
        distributed.all_reduce(flat)
        sizes = [gradient.numel() for gradient in gradients]
        parts = torch.split(flat[:-1] / self.size, sizes)
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))
        return float(flat[-1])


SINGLE_PROCESS = ProcessGroup()


class Stage(Protocol):
    """What the loop needs of a stage: its name, its modules, and the loss of the next batch."""

    name: str
    modules: nn.ModuleDict

    def trained(self) -> list[nn.Parameter]:
        """The parameters that this stage changes."""

    def batches(self, start: int, processes: ProcessGroup) -> Iterator[Any]:
        """This process's batches from step `start` on."""

    def loss(self, batch: Any, step: int, progress: float) -> tuple[Tensor, dict[str, float]]:
        """The loss of a batch, and figures to report; `progress` runs from 0 to 1 over the stage."""


@dataclass
class Progress:
    """Where a stage stands."""

    step: int = 0
    elapsed_s: float = 0.0
    done: bool = False

    def share(self, schedule: Schedule) -> float:
        """How much of the stage is over: by steps, or by time where that comes first."""
        by_time = self.elapsed_s / 60 / schedule.minutes if schedule.minutes else 0.0
        return min(1.0, max(self.step / schedule.steps, by_time))


def learning_rate(schedule: Schedule, step: int, share: float) -> float:
    """Linear warm-up, then a cosine down to the final share of the peak."""
    cosine = 0.5 * (1 + math.cos(math.pi * share))
    warm = min(1.0, (step + 1) / max(schedule.warmup_steps, 1))
    return schedule.learning_rate * warm * (schedule.final_share + (1 - schedule.final_share) * cosine)


def run_stage(
    stage: Stage,
    schedule: Schedule,
    state: Path,
    report: Callable[[str], None],
    processes: ProcessGroup = SINGLE_PROCESS,
) -> Progress:
    """Train a stage to its end, from its saved state where there is one; the state is saved every few minutes."""
    parameters = stage.trained()
    optimizer = torch.optim.AdamW(
        parameters, lr=schedule.learning_rate, betas=(0.9, 0.98), weight_decay=schedule.weight_decay
    )
    progress = _resume(stage, optimizer, state)
    begun_s, saved_s, reported_s = time.monotonic() - progress.elapsed_s, time.monotonic(), time.monotonic()
    batches = stage.batches(progress.step, processes)
    while progress.share(schedule) < 1:
        share = progress.share(schedule)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(schedule, progress.step, share)
        loss, figures = stage.loss(next(batches), progress.step, share)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        now_s = time.monotonic()
        progress.elapsed_s = processes.average(parameters, now_s - begun_s)
        nn.utils.clip_grad_norm_(parameters, CLIP_NORM)
        optimizer.step()
        progress.step += 1
        if now_s - reported_s > REPORT_EVERY_S:
            report(_line(stage.name, progress, share, float(loss.detach()), figures))
            reported_s = now_s
        if processes.rank == 0 and now_s - saved_s > SAVE_EVERY_S:
            _save(stage, optimizer, progress, state)
            saved_s = now_s
    progress.done = True
    if processes.rank == 0:
        _save(stage, optimizer, progress, state)
    return progress


def stage_done(state: Path) -> bool:
    """Whether a saved state is that of a finished stage."""
    return state.exists() and bool(torch.load(state, weights_only=True)["done"])


def _resume(stage: Stage, optimizer: torch.optim.Optimizer, state: Path) -> Progress:
    if not state.exists():
        return Progress()
    saved = torch.load(state, weights_only=True)
    stage.modules.load_state_dict(saved["modules"])
    optimizer.load_state_dict(saved["optimizer"])
    return Progress(saved["step"], saved["elapsed_s"], saved["done"])


def _save(stage: Stage, optimizer: torch.optim.Optimizer, progress: Progress, state: Path) -> None:
    state.parent.mkdir(parents=True, exist_ok=True)
    partial = state.with_suffix(".tmp")
    values = {"modules": stage.modules.state_dict(), "optimizer": optimizer.state_dict(), **vars(progress)}
    torch.save(values, partial)
    partial.rename(state)


def _line(name: str, progress: Progress, share: float, loss: float, figures: dict[str, float]) -> str:
    shown = "  ".join(f"{key} {value:.3f}" for key, value in figures.items())
    minutes = progress.elapsed_s / 60
    return f"{name:9s} {100 * share:5.1f} %  step {progress.step:5d}  {minutes:6.1f} min  loss {loss:.3f}  {shown}"
