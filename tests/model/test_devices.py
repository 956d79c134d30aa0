"""Which devices take a copy of the model."""

import pytest
import torch

from funasr_beam.model.devices import computing_on, device_names, pick_device
from funasr_beam.model.errors import RunError


@pytest.fixture
def cards(monkeypatch):
    """Let torch see cards of these names."""

    def insert(*names):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: bool(names))
        monkeypatch.setattr(torch.cuda, "device_count", lambda: len(names))
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda number: names[number])

    return insert


@pytest.mark.parametrize("wanted", ["auto", "cuda"])
@pytest.mark.parametrize(
    ("names", "taken"),
    [
        (["H100"], ["cuda:0"]),
        (["L4"] * 4, ["cuda:0", "cuda:1", "cuda:2", "cuda:3"]),
        (["H100", "GT 710", "H100"], ["cuda:0", "cuda:2"]),
    ],
)
def test_every_card_of_the_first_ones_kind_is_taken(cards, wanted, names, taken):
    cards(*names)
    assert device_names(wanted) == taken


def test_a_cpu_is_one_device(cards):
    cards()
    assert device_names("auto") == ["cpu"]
    cards("L4")
    assert device_names("cpu") == ["cpu"]


def test_a_card_that_is_not_there_is_told(cards):
    cards()
    for wanted in ("cuda", "cuda:1"):
        with pytest.raises(RunError, match="--device auto"):
            pick_device(wanted)
    assert pick_device("auto").type == "cpu"


def test_a_cpu_needs_no_context():
    with computing_on("cpu"):
        pass
