"""Channels side by side through silero's recurrent cell: its weights come out of the cache once for all of them."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import torch

    from funasr_beam.model.silero import SileroNetwork, State

MAX_LANES = 6
"""More do not help: with so many the arithmetic takes the time and no longer the way of the weights."""

_TRIED_FRAMES = 64


class Lane:
    """A channel on its way: what is ready to be scored, and what the network remembers of the frames before."""

    def __init__(self, blocks: "Iterator[tuple[int, torch.Tensor]]", frames: int) -> None:
        """A channel that has not begun.

        Args:
            blocks: the number of the first frame, and (n, 128) features of n frames, in order.
            frames: of the whole channel; those without features stay 0.
        """
        self.scores: npt.NDArray[np.float32] = np.zeros(frames, np.float32)
        self.state: State | None = None
        self._blocks = blocks
        self._first = 0
        self._ready: torch.Tensor | None = None

    def refill(self) -> bool:
        """Have features ready; False at the end of the channel."""
        if self._ready is None:
            self._first, self._ready = next(self._blocks, (0, None))
        return self._ready is not None

    @property
    def ready(self) -> "torch.Tensor":
        """(n, 128) features, after `refill`."""
        if self._ready is None:
            raise ValueError("nothing is ready")
        return self._ready

    def take(self, scores: "torch.Tensor", state: "State") -> None:
        """Note the scores of the first frames that were ready, (n,), and the state behind them."""
        count = len(scores)
        self.scores[self._first : self._first + count] = scores.numpy()
        self.state, self._first = state, self._first + count
        self._ready = self.ready[count:] if count < len(self.ready) else None


def score_lanes(network: "SileroNetwork", lanes: Iterable[Lane], width: int) -> None:
    """Fill in the scores of channels, whose sigmoid is the probability of speech.

    Args:
        network: what hears.
        lanes: in the order in which they begin, each where another one has ended.
        width: so many at once, as `agreeing_lanes` says.
    """
    waiting, active = iter(lanes), list[Lane]()
    while active := _refilled(active, waiting, width):
        _advance(network, active, width)


def agreeing_lanes(network: "SileroNetwork") -> int:
    """How many channels at once each get bit for bit what they get in any other company; 1 if it matters.

    What a recording gives must not depend on what shares its unit of work, and nobody promises that products of
    different sizes agree. Where torch has oneDNN they do, but for a single row: `score_lanes` doubles that.
    """
    import torch

    noise = torch.from_numpy(np.random.default_rng(0).standard_normal((_TRIED_FRAMES, MAX_LANES, 128), np.float32))
    with torch.inference_mode():
        all_scores = _score_first(network, noise, MAX_LANES)
        agree = (torch.equal(_score_first(network, noise, n), all_scores[:, :n]) for n in range(2, MAX_LANES))
        return MAX_LANES if all(agree) else 1


def _score_first(network: "SileroNetwork", features: "torch.Tensor", count: int) -> "torch.Tensor":
    return network.score(features[:, :count].contiguous(), network.blank_state(count))[0]


def _refilled(active: Sequence[Lane], waiting: Iterator[Lane], width: int) -> list[Lane]:
    """The channels that go on, and as many new ones as there is room for."""
    going = [lane for lane in active if lane.refill()]
    return [*going, *islice((lane for lane in waiting if lane.refill()), width - len(going))]


def _advance(network: "SileroNetwork", active: Sequence[Lane], width: int) -> None:
    """Hear as much as is ready in each."""
    import torch

    steps = min(len(lane.ready) for lane in active)
    seats = [*active, *active] if len(active) == 1 < width else active
    blank = network.blank_state(1)
    states = [lane.state or blank for lane in seats]
    features = torch.stack([lane.ready[:steps] for lane in seats], 1)
    before = torch.cat([hidden for hidden, _ in states], 1), torch.cat([cell for _, cell in states], 1)
    scores, (hidden, cell) = network.score(features, before)
    for place, lane in enumerate(active):
        lane.take(scores[:, place], (hidden[:, place : place + 1], cell[:, place : place + 1]))
