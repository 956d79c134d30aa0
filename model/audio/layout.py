"""What the channels of a recording are: one voice, two separate ones, or the same one twice.

The evidence of spans can be added up, so a recording that was decoded in parts on several machines has one layout.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from funasr_beam.model.records import Samples

BLOCK = 160_000
"""Samples looked at together (10 s): the working memory stays at a few MB."""

FRAME = 400
"""Samples (25 ms) that are judged together: two talkers who take turns differ within frames, never only in sum."""

SAME_DB = 20.0
"""Channels whose difference lies this much below themselves are the same, codec noise and all."""

SILENT_POWER = 100.0
"""Mean square of int16 samples (about -70 dBFS) under which a frame says nothing about its channels."""


class ChannelLayout(StrEnum):
    """What the channels of a recording are to each other."""

    MONO = "mono"  # one channel
    STEREO = "stereo"  # channels that differ: transcribe each
    DUAL_MONO = "dual_mono"  # the same in all channels: transcribe one


@dataclass(frozen=True)
class ChannelEvidence:
    """Sums over the samples of some spans, of which any two can be added.

    `energies` are sums of squares of each channel; `products` the sums of its products with channel 0, both over
    frames in which any channel is heard; zeros where there is one channel only. What is left of a channel when the
    best multiple of channel 0 is taken away follows from them: the least square difference, so that a plain change of
    gain or polarity is no difference.
    """

    frames: int  # samples of one channel, silent ones too
    energies: tuple[float, ...]
    products: tuple[float, ...]

    def __add__(self, other: "ChannelEvidence") -> "ChannelEvidence":
        if len(self.energies) != len(other.energies):
            raise ValueError(f"evidence of {len(self.energies)} and of {len(other.energies)} channels does not add up")
        return ChannelEvidence(
            self.frames + other.frames,
            tuple(a + b for a, b in zip(self.energies, other.energies, strict=True)),
            tuple(a + b for a, b in zip(self.products, other.products, strict=True)),
        )

    @property
    def difference_db(self) -> tuple[float, ...]:
        """How far what differs from channel 0 lies below each further channel; inf for none at all, 0 for unrelated."""
        return tuple(
            _difference_db(self.energies[0], energy, product)
            for energy, product in zip(self.energies[1:], self.products[1:], strict=True)
        )

    @property
    def layout(self) -> ChannelLayout:
        """The decision. Channels that are all silent are the same; one that is silent alone is a channel of its own."""
        if len(self.energies) == 1:
            return ChannelLayout.MONO
        if all(db >= SAME_DB for db in self.difference_db):
            return ChannelLayout.DUAL_MONO
        return ChannelLayout.STEREO


def channel_evidence(samples: Samples) -> ChannelEvidence:
    """What a span says about the channels of its recording.

    Args:
        samples: (channels, frames) int16, with at least one channel.
    """
    channels, frames = samples.shape
    if channels == 0:
        raise ValueError("samples without a channel")
    if channels == 1:  # nothing to compare: this alone was a seventh of the CPU time before recognition
        return ChannelEvidence(frames, (0.0,), (0.0,))
    energies, products = np.zeros(channels), np.zeros(channels)
    for start in range(0, frames, BLOCK):
        own, with_first = _heard_sums(samples[:, start : start + BLOCK])
        energies += own
        products += with_first
    return ChannelEvidence(frames, tuple(energies.tolist()), tuple(products.tolist()))


def recording_layout(evidence: Iterable[ChannelEvidence]) -> ChannelLayout:
    """The layout of a recording, from the evidence of all its spans.

    Raises:
        ValueError: there are no spans, or spans with different numbers of channels.
    """
    parts = list(evidence)
    if not parts:
        raise ValueError("no evidence of any span")
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total.layout


def _heard_sums(block: Samples) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Energies, and products with channel 0, over the frames in which any channel is above the noise of silence."""
    channels, length = block.shape
    whole = np.pad(block, ((0, 0), (0, -length % FRAME))) if length % FRAME else block
    framed = whole.astype(np.float64).reshape(channels, -1, FRAME)
    energies = np.einsum("cnf,cnf->cn", framed, framed)
    products = np.einsum("cnf,nf->cn", framed, framed[0])
    heard = energies.max(axis=0) >= SILENT_POWER * FRAME
    return energies[:, heard].sum(axis=1), products[:, heard].sum(axis=1)


def _difference_db(first: float, other: float, product: float) -> float:
    if first == 0.0 and other == 0.0:
        return float("inf")
    if first == 0.0 or other == 0.0:
        return 0.0
    # The share of the other channel that no multiple of the first can explain.
    left = 1.0 - product**2 / (first * other)
    return float("inf") if left <= 1e-12 else float(-10 * np.log10(left))
