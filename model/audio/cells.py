"""Decode a recording cell by cell; each cell is a function of the file alone."""

from collections.abc import Iterator
from dataclasses import dataclass

import av.error
from av.audio.frame import AudioFrame

from funasr_beam.model.audio.canvas import Canvas, Clock, Interval
from funasr_beam.model.audio.container import AudioPacket, OpenAudio, out_of_memory
from funasr_beam.model.audio.feed import Feed, PlacedPacket
from funasr_beam.model.audio.joiner import Joiner
from funasr_beam.model.audio.resample import CellGrid
from funasr_beam.model.records import Samples

WARM_UP_S = 1.0
"""Decoded and thrown away before a cell: twelve packets of an 8 kHz mp3, whose bit reservoir reaches back nine."""

PAST_S = 1.0
"""A packet so far behind a cell cannot reach into it any more."""

FLUSHED = (
    "pcm_",
    "adpcm_",
    "wma",
    "g726",
    "gsm_ms",
    "cook",
    "atrac",
    "sipr",
    "ra_",
    "real_",
    "xma",
    "imc",
    "qd",
    "mace",
)
"""Decoders that need more from the container than a recipe holds; a flush makes them forget instead."""


@dataclass(frozen=True, eq=False)
class Cell:
    """One cell at 16 kHz and what happened while it was decoded."""

    index: int
    samples: Samples  # (channels, cell)
    covered: tuple[Interval, ...]  # native samples that the file has, within the cell
    bad_packets: int
    late_bad_packets: int  # those after the last good frame: at the end of a file cut off they are no damage
    flaws: int
    is_last: bool  # the file has nothing behind this cell


class CellReader:
    """The cells of an open recording, from any one on."""

    def __init__(self, audio: OpenAudio, grid: CellGrid) -> None:
        self._audio = audio
        self._grid = grid
        self._clock = Clock.of(audio)
        self._feed = Feed(audio)
        self._primed = {id(packet): frames for packet, frames in audio.primed}

    def cells(self, first: int) -> Iterator[Cell]:
        """Cells in order until the file ends."""
        if first > 0:
            self._feed.skip_to(self._warm_up_start_s(first))
        index, ended = first, False
        while not ended:
            cell = self._decode(index)
            yield cell
            index, ended = index + 1, cell.is_last

    def _warm_up_start_s(self, index: int) -> float:
        return index * self._grid.cell_s - self._grid.margin / self._grid.rate - WARM_UP_S

    def _decode(self, index: int) -> Cell:
        grid = self._grid
        start = index * grid.native_cell
        canvas = Canvas(self._audio.shape, self._clock, start - grid.margin, grid.native_cell + 2 * grid.margin)
        self._feed.begin(self._warm_up_start_s(index + 1))
        bad, late = self._fill(canvas, index)
        breaks = self._feed.take_errors()  # the demuxer gave up: what lies behind cannot be had
        canvas.settle()
        end = start + grid.native_cell
        covered = tuple((max(a, start), min(b, end)) for a, b in canvas.covered if a < end and b > start)
        reaches_past = canvas.covered and canvas.covered[-1][1] > end
        return Cell(
            index,
            grid.resample(canvas.samples),
            covered,
            bad + breaks,
            late + breaks,
            canvas.flaws,
            is_last=self._feed.ended and not reaches_past and not self._feed.reaches(end / grid.rate),
        )

    def _fill(self, canvas: Canvas, index: int) -> tuple[int, int]:
        """Lay what belongs to a cell on its canvas; count bad packets, and those among them after the last good."""
        decoder = _Decoder(self._audio, self._primed, keeps_past=index == 0)
        joiner = Joiner(canvas, self._audio.shape, self._clock)
        bad = late = 0
        end_s = canvas.end / self._grid.rate
        while not canvas.is_full:
            placed = self._feed.take()
            frames = decoder.decode(placed)
            shift_s, start_s = (placed.shift_s, placed.start_s) if placed else (0.0, end_s)
            for frame in frames or ():
                joiner.lay(frame, shift_s, start_s)
            if frames is None:
                bad, late = bad + 1, late + 1
            elif frames:
                late = 0
            self._audio.file.on_progress()
            if placed is None or start_s > end_s + PAST_S:
                break
        joiner.flush()
        return bad, late


class _Decoder:
    """A decoder that has forgotten everything, or, for the first cell, the one that has decoded the primed packets."""

    def __init__(self, audio: OpenAudio, primed: dict[int, list[AudioFrame]], *, keeps_past: bool) -> None:
        self._audio = audio
        self._primed = primed if keeps_past else {}
        self._context = audio.context
        if not keeps_past and self._context.codec.name.startswith(FLUSHED):
            self._context.flush_buffers()
        elif not keeps_past:
            self._context = audio.recipe.make()

    def decode(self, placed: PlacedPacket | None) -> list[AudioFrame] | None:
        """The frames of a packet (None: what is left in the decoder); None for a bad packet."""
        packet: AudioPacket | None = placed.packet if placed else None
        if self._primed and id(packet) in self._primed:
            return self._primed[id(packet)]
        try:
            return self._context.decode(packet)
        except av.error.MemoryError as error:
            raise out_of_memory(self._audio.file) from error
        except av.error.EOFError:
            return []
        except av.error.FFmpegError:
            return None
