"""The training loop: schedules, saved states, and several processes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from funasr_beam.model.training import trainer
from funasr_beam.model.training.config import Schedule, TrainingConfig
from funasr_beam.model.training.trainer import (
    SINGLE_PROCESS,
    ProcessGroup,
    Progress,
    learning_rate,
    run_stage,
    stage_done,
)


class Fitting:
    """A stage that fits a line; it can be told to break at a step."""

    name = "fitting"

    def __init__(self, breaks_at: int | None = None) -> None:
        torch.manual_seed(0)
        self.modules = nn.ModuleDict({"line": nn.Linear(1, 1)})
        self.breaks_at = breaks_at
        self.seen: list[int] = []

    def trained(self) -> list[nn.Parameter]:
        return list(self.modules.parameters())

    def batches(self, start: int, processes: ProcessGroup) -> Iterator[int]:
        while True:
            yield start
            start += processes.size

    def loss(self, batch: int, step: int, progress: float) -> tuple[Tensor, dict[str, float]]:
        if step == self.breaks_at:
            raise KeyboardInterrupt
        self.seen.append(batch)
        x = torch.full((1, 1), float(batch % 5))
        loss = (self.modules["line"](x) - 2 * x).pow(2).mean()
        return loss, {"error": float(loss.detach())}


def line(stage: Fitting) -> list[float]:
    return [float(parameter.detach()) for parameter in stage.trained()]


def test_a_stage_that_was_stopped_ends_as_if_it_had_not_been(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    schedule = Schedule(steps=30, learning_rate=0.1, warmup_steps=3)
    whole, first, second = Fitting(), Fitting(breaks_at=17), Fitting()
    run_stage(whole, schedule, tmp_path / "whole.pt", print)
    monkeypatch.setattr(trainer, "SAVE_EVERY_S", -1.0)
    with pytest.raises(KeyboardInterrupt):
        run_stage(first, schedule, tmp_path / "parts.pt", print)
    assert not stage_done(tmp_path / "parts.pt")
    run_stage(second, schedule, tmp_path / "parts.pt", print)
    assert first.seen + second.seen == whole.seen
    assert line(second) == pytest.approx(line(whole))
    assert stage_done(tmp_path / "parts.pt")


def test_a_finished_stage_does_nothing_more(tmp_path: Path) -> None:
    schedule = Schedule(steps=5)
    run_stage(Fitting(), schedule, tmp_path / "a.pt", print)
    again = Fitting()
    run_stage(again, schedule, tmp_path / "a.pt", print)
    assert again.seen == []


def test_the_learning_rate_warms_up_and_falls() -> None:
    schedule = Schedule(steps=100, learning_rate=1.0, warmup_steps=10, final_share=0.1)
    assert learning_rate(schedule, 0, 0.0) == pytest.approx(0.1)
    assert learning_rate(schedule, 10, 0.0) == pytest.approx(1.0)
    assert learning_rate(schedule, 99, 1.0) == pytest.approx(0.1)


def test_minutes_end_a_stage_before_its_steps() -> None:
    schedule = Schedule(steps=100, minutes=10.0)
    assert Progress(step=1, elapsed_s=300.0).share(schedule) == pytest.approx(0.5)
    assert Progress(step=80, elapsed_s=300.0).share(schedule) == pytest.approx(0.8)


def test_one_alone_keeps_its_gradients_and_its_clock() -> None:
    parameter = nn.Parameter(torch.ones(2))
    parameter.grad = torch.tensor([1.0, 2.0])
    assert SINGLE_PROCESS.average([parameter], 5.0) == 5.0
    assert parameter.grad.tolist() == [1.0, 2.0]


def _average(rank: int, meeting: Path, out: Path) -> None:
    processes = ProcessGroup(rank, 2)
    processes.join(meeting)
    parameter, frozen = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(1))
    parameter.grad = torch.tensor([1.0, 2.0]) * (rank + 1)
    clock = processes.average([parameter, frozen], 7.0 + rank)
    torch.save({"gradient": parameter.grad, "clock": clock}, out / f"{rank}.pt")
    processes.leave()


@pytest.mark.slow
def test_a_team_averages_gradients_and_shares_the_first_clock(tmp_path: Path) -> None:
    torch.multiprocessing.spawn(_average, args=(tmp_path / "meeting", tmp_path), nprocs=2)
    for rank in (0, 1):
        saved = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        assert saved["gradient"].tolist() == [1.5, 3.0]
        assert saved["clock"] == 7.0


def test_minutes_are_shared_out_as_in_the_run() -> None:
    config = TrainingConfig("x", encoder=Schedule(1, minutes=30.0), listen=Schedule(1, minutes=60.0))
    half = config.within(45.0)
    assert (half.encoder.minutes, half.listen.minutes) == (15.0, 30.0)
