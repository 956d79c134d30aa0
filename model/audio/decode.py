"""Any range of a recording as 16 kHz samples, exact to the sample wherever decoding began."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from funasr_beam.model.audio.canvas import Interval
from funasr_beam.model.audio.cells import Cell, CellReader
from funasr_beam.model.audio.container import OpenAudio, open_audio
from funasr_beam.model.audio.duration import declared_duration_s, is_cut_off
from funasr_beam.model.audio.limits import DEFAULT_LIMITS, DecodeLimits
from funasr_beam.model.audio.resample import CellGrid
from funasr_beam.model.audio.source import MediaFile, MediaSource
from funasr_beam.model.audio.trailing import goes_on_behind_its_end
from funasr_beam.model.errors import Cause, RecordingError
from funasr_beam.model.records import SAMPLE_RATE, MediaInfo, Samples, Seconds

MIN_SAMPLES = 400
"""One analysis window (25 ms at 16 kHz): a recording that is shorter cannot be transcribed."""

MIN_HOLE_S = 0.005
_GOES_ON = "behind its end there is more audio, as in files put together, which is not read; split the file"


@dataclass(frozen=True)
class TimeRange:
    """A part of a recording on its own clock: [start_s, end_s); `end_s` None means to the end."""

    start_s: Seconds = 0.0
    end_s: Seconds | None = None

    def __post_init__(self) -> None:
        if self.start_s < 0 or (self.end_s is not None and self.end_s < self.start_s):
            raise ValueError(f"no range: {self.start_s} to {self.end_s}")


WHOLE = TimeRange()
"""All of a recording."""


@dataclass(frozen=True)
class DecodeNote:
    """Something a user should know about samples that are there all the same."""

    cause: Cause  # TRUNCATED, DAMAGED or LONGER_THAN_DECLARED
    message: str


@dataclass(frozen=True)
class DecodeSummary:
    """What is known when a range has been decoded."""

    media: MediaInfo  # as decoded
    notes: tuple[DecodeNote, ...]
    reached_end: bool  # the recording has nothing behind this range
    hole_s: Seconds  # silence in place of audio that the file has lost
    bad_packets: int


@dataclass(frozen=True, eq=False)
class DecodedRange:
    """The samples of one range, every channel on its own."""

    start_s: Seconds
    samples: Samples  # (channels, frames) int16, 16 kHz
    summary: DecodeSummary

    @property
    def causes(self) -> tuple[Cause, ...]:
        """The causes of the notes."""
        return tuple(note.cause for note in self.summary.notes)


@dataclass(frozen=True, eq=False)
class Opened:
    """First event of a decode: what will come."""

    size_bytes: int
    num_channels: int
    expected_samples: int | None  # of one channel; None: nobody knows


Event = Opened | Samples | DecodeSummary
"""What a decode yields: one `Opened`, blocks of (channels, frames) samples, one `DecodeSummary`."""


def decode_range(source: MediaSource, span: TimeRange = WHOLE, limits: DecodeLimits = DEFAULT_LIMITS) -> DecodedRange:
    """The first audio stream between two times, in this very process: for trusted files; `sandbox` is for the others.

    Two ranges that overlap agree on every sample. Past the end of a recording there are no samples and no error.

    Returns:
        (channels, frames) int16 at 16 kHz; holes in the file are silence, and the notes say so.

    Raises:
        RecordingError: nothing can be had, and why.
    """
    with source.open() as file:
        return assemble(span.start_s, decode_events(file, span, limits))


def assemble(start_s: Seconds, events: Iterable[Event]) -> DecodedRange:
    """The events of a decode as one record, its samples written once into one array."""
    samples, filled, summary = np.zeros((1, 0), np.int16), 0, None
    for event in events:
        if isinstance(event, Opened):
            samples = np.empty((event.num_channels, event.expected_samples or 0), np.int16)
        elif isinstance(event, DecodeSummary):
            summary = event
        else:
            samples = _grown(samples, filled + event.shape[1])
            samples[:, filled : filled + event.shape[1]] = event
            filled += event.shape[1]
    if summary is None:
        raise RecordingError(Cause.DECODER_CRASHED, "the decoder ended without a summary")
    return DecodedRange(start_s, samples[:, :filled], summary)


def _grown(samples: Samples, needed: int) -> Samples:
    if needed <= samples.shape[1]:
        return samples
    larger = np.empty((samples.shape[0], max(needed, samples.shape[1] * 3 // 2)), np.int16)
    larger[:, : samples.shape[1]] = samples
    return larger


def decode_events(file: MediaFile, span: TimeRange, limits: DecodeLimits) -> Iterator[Event]:
    """The same as `decode_range`, piece by piece."""
    audio = open_audio(file, limits)
    try:
        declared_s = declared_duration_s(audio)
        window = _Window.of(span, limits, declared_s)
        yield Opened(file.size, audio.shape.num_channels, window.expected)
        yield from _blocks(audio, window, declared_s)
    finally:
        audio.close()


@dataclass(frozen=True)
class _Window:
    """A range in 16 kHz samples."""

    start: int
    end: int  # at most; the recording may end before
    is_capped: bool  # the end is ours and not the caller's
    expected: int | None

    @classmethod
    def of(cls, span: TimeRange, limits: DecodeLimits, declared_s: float | None) -> "_Window":
        start = round(span.start_s * SAMPLE_RATE)
        cap = start + limits.max_samples
        end = cap if span.end_s is None else round(span.end_s * SAMPLE_RATE)
        known = [end] if span.end_s is not None else []
        known += [round(declared_s * SAMPLE_RATE) + SAMPLE_RATE] if declared_s is not None else []
        expected = max(0, min([*known, cap]) - start) if known else None
        return cls(start, min(end, cap), end >= cap, expected)


def _blocks(audio: OpenAudio, window: _Window, declared_s: float | None) -> Iterator[Samples | DecodeSummary]:
    grid = CellGrid.of(audio.shape)
    tally = _Tally(audio, grid)
    for cell in CellReader(audio, grid).cells(window.start // grid.cell):
        tally.add(cell)
        offset = cell.index * grid.cell
        end = tally.end if cell.is_last else offset + grid.cell
        block = cell.samples[:, max(0, window.start - offset) : max(0, min(end, window.end) - offset)]
        yield block
        if cell.is_last or offset + grid.cell >= window.end:
            break
    if audio.file.failure is not None:
        raise audio.file.failure
    yield tally.summary(window, declared_s)


class _Tally:
    """What happened over the cells of a range."""

    def __init__(self, audio: OpenAudio, grid: CellGrid) -> None:
        self._audio = audio
        self._grid = grid
        self._covered: list[Interval] = []
        self._bad = audio.errors_before
        self._late = self._flaws = 0
        self._is_last = False

    @property
    def end(self) -> int:
        """Where the audio that was found ends (16 kHz samples)."""
        return self._grid.to_output(self._covered[-1][1]) if self._covered else 0

    def add(self, cell: Cell) -> None:
        for first, last in cell.covered:
            if self._covered and first <= self._covered[-1][1] + MIN_HOLE_S * self._grid.rate:
                self._covered[-1] = (self._covered[-1][0], max(last, self._covered[-1][1]))
            else:
                self._covered.append((first, last))
        self._bad += cell.bad_packets
        self._late = cell.late_bad_packets
        self._flaws += cell.flaws
        self._is_last = cell.is_last

    def summary(self, window: _Window, declared_s: float | None) -> DecodeSummary:
        """The notes on a range; raises where a recording as a whole has nothing."""
        reached_end = self._is_last and self.end <= window.end
        if reached_end and window.start == 0:
            self._check_whole()
        cut = reached_end and self._is_truncated(window, declared_s)
        hole_s = self._hole_s(window)
        notes = [note for note in (cut and self._truncated(declared_s), self._damaged(hole_s, cut=cut)) if note]
        if reached_end and goes_on_behind_its_end(self._audio):
            notes.append(DecodeNote(Cause.DAMAGED, _GOES_ON))
        if window.is_capped and not reached_end:
            notes.append(DecodeNote(Cause.LONGER_THAN_DECLARED, f"cut at {window.end / SAMPLE_RATE:.0f} s"))
        media = self._audio.media(self.end / SAMPLE_RATE if reached_end else None)
        return DecodeSummary(media, tuple(notes), reached_end, hole_s, self._bad)

    def _check_whole(self) -> None:
        uri = self._audio.file.uri
        if not self._covered:
            raise RecordingError(Cause.NO_AUDIO_DECODED, f"{uri}: not one sample could be decoded")
        if self.end < MIN_SAMPLES:
            raise RecordingError(Cause.TOO_SHORT, f"{uri}: has {self.end / 16:.1f} ms of audio, the least is 25 ms")

    def _is_truncated(self, window: _Window, declared_s: float | None) -> bool:
        if declared_s is None:
            return is_cut_off(self._audio)
        found = max(self.end, window.start)
        due = min(declared_s, window.end / SAMPLE_RATE)
        return found / SAMPLE_RATE < due - max(0.25, 0.001 * declared_s) or is_cut_off(self._audio)

    def _truncated(self, declared_s: float | None) -> DecodeNote:
        end_s = self.end / SAMPLE_RATE
        of = f" of {declared_s:.1f} s" if declared_s is not None and declared_s > end_s + 0.1 else ""
        return DecodeNote(Cause.TRUNCATED, f"the file breaks off at {end_s:.1f} s{of}; copy it anew")

    def _hole_s(self, window: _Window) -> float:
        grid = self._grid
        first_audio = round((self._audio.first_s - self._audio.zero_s) * grid.rate)
        cursor = max(grid.to_native(window.start) // grid.native_cell * grid.native_cell, first_audio)
        missing = 0
        for first, last in self._covered:
            missing += first - cursor if first - cursor > MIN_HOLE_S * grid.rate else 0
            cursor = max(cursor, last)
        return missing / grid.rate

    def _damaged(self, hole_s: float, *, cut: bool) -> DecodeNote | None:
        # Behind the last good frame of a file cut off, bad packets are the cut itself.
        bad = self._bad - (self._late if cut else 0)
        if not bad and not self._flaws and hole_s < MIN_HOLE_S:
            return None
        return DecodeNote(
            Cause.DAMAGED, f"{bad} packets could not be decoded, {hole_s:.2f} s of holes, {self._flaws} other flaws"
        )
