"""Native samples to 16 kHz, the same whatever the place at which a computation begins."""

from dataclasses import dataclass
from math import gcd

import numpy as np
import numpy.typing as npt
import soxr

from funasr_beam.model.audio.container import AudioShape
from funasr_beam.model.records import SAMPLE_RATE, Samples

CELL_S = 30
MARGIN_S = 0.1
MAX_CELL_SAMPLES = 12_000_000
"""Native samples of all channels in one cell: 48 MB."""


@dataclass(frozen=True)
class CellGrid:
    """The division of a recording into cells that begin on a whole sample at both rates.

    A cell is decoded and resampled on its own, with a margin to both sides, so its samples depend on nothing but the
    file: neighbours that are decoded on different machines agree sample for sample.
    """

    rate: int  # native, Hz
    cell_s: int

    @classmethod
    def of(cls, shape: AudioShape) -> "CellGrid":
        """The one grid for recordings of this shape."""
        affordable = MAX_CELL_SAMPLES // (shape.sample_rate * shape.num_channels)
        return cls(shape.sample_rate, max(1, min(CELL_S, affordable)))

    @property
    def margin(self) -> int:
        """Native samples before and after a cell that its resampling needs; whole at both rates."""
        step = self.rate // gcd(self.rate, SAMPLE_RATE)
        return step * -(-int(MARGIN_S * self.rate) // step)

    @property
    def native_cell(self) -> int:
        """Native samples in a cell."""
        return self.cell_s * self.rate

    @property
    def cell(self) -> int:
        """16 kHz samples in a cell."""
        return self.cell_s * SAMPLE_RATE

    def to_native(self, position: int) -> int:
        """The native sample nearest to a 16 kHz sample."""
        return round(position * self.rate / SAMPLE_RATE)

    def to_output(self, position: int) -> int:
        """The 16 kHz sample nearest to a native sample."""
        return round(position * SAMPLE_RATE / self.rate)

    def resample(self, native: npt.NDArray[np.float32]) -> Samples:
        """One cell at 16 kHz.

        Args:
            native: (channels, margin + native_cell + margin) float32 in the range of int16.

        Returns:
            (channels, cell) int16, each channel resampled on its own.
        """
        if self.rate == SAMPLE_RATE:
            wanted = native[:, self.margin : self.margin + self.cell]
        else:
            skip = self.to_output(self.margin)
            wanted = soxr.resample(native.T, self.rate, SAMPLE_RATE, quality="HQ").T[:, skip : skip + self.cell]
        whole = np.rint(wanted)
        return np.clip(whole, -32768, 32767, out=whole).astype(np.int16)
