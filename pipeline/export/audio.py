"""Clips of the segments, cut from the originals; never more of one in memory than a window of a few minutes."""

import hashlib
import io
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import av
import numpy as np

from funasr_beam.model.audio.decode import TimeRange
from funasr_beam.model.audio.sandbox import Decoder
from funasr_beam.model.audio.source import MediaSource
from funasr_beam.model.errors import RecordingError
from funasr_beam.model.listing import fingerprint_now
from funasr_beam.model.records import SAMPLE_RATE, Samples, Seconds
from funasr_beam.model.storage import Folder
from funasr_beam.pipeline.export.files import Tally
from funasr_beam.pipeline.export.records import ExportRecording, ExportSegment

AUDIO_KINDS = ("flac", "wav")
_WINDOW_S = 600.0  # of one channel, 19 MB; MP3 without an index is read from its start for each window
_GAP_S = 300.0  # decoding what nobody wants is cheaper than finding a place again
_MISSING_S = 0.01


@dataclass(frozen=True)
class Clip:
    """The audio of one segment: 16 kHz, mono, 16 bits, as the model heard it."""

    segment: ExportSegment
    data: bytes  # a whole FLAC or WAV file


@dataclass
class ClipCutter:
    """Cuts the segments of one recording after another, in a child process that a damaged file may take down."""

    kind: str  # one of AUDIO_KINDS
    tally: Tally
    _decoder: Decoder = field(default_factory=Decoder)

    def clips(self, recording: ExportRecording, segments: Sequence[ExportSegment]) -> Iterator[Clip]:
        """A clip of each of its segments, by time; those that cannot be had are counted as left out."""
        problem = _problem_with(recording) if segments else None
        if problem is not None:
            self.tally.leave_out("segments", problem, len(segments))
            return
        for window in windows(segments, _WINDOW_S / recording.num_channels):
            yield from self._clips(recording, window)

    def __enter__(self) -> "ClipCutter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._decoder.close()

    def _clips(self, recording: ExportRecording, window: list[ExportSegment]) -> Iterator[Clip]:
        span = TimeRange(window[0].start_s, max(segment.end_s for segment in window))
        try:
            decoded = self._decoder.decode_range(MediaSource(recording.uri), span)
        except RecordingError as error:
            self.tally.leave_out("segments", f"the original cannot be read ({error.cause})", len(window))
            return
        channels = [_audio_segment(samples) for samples in decoded.samples]
        for segment in window:
            first = _frame(segment.start_s - decoded.start_s)
            audio = channels[min(segment.channel, len(channels) - 1)]
            clip = audio.get_sample_slice(first, first + _frame(segment.duration_s))
            if clip.frame_count() < (segment.duration_s - _MISSING_S) * SAMPLE_RATE:
                self.tally.leave_out("segments", "the original ends before the segment does")
                continue
            yield Clip(segment, _encoded(clip, self.kind))


@dataclass
class ClipFolder:
    """Clips as files of their own; one that is there already is not cut again."""

    folder: Folder
    cutter: ClipCutter

    def paths(self, recording: ExportRecording) -> dict[str, str]:
        """The clip of each segment, by the segment's id, as a path in the folder."""
        # The place names the bytes that were cut: a file that was replaced by another gets other clips.
        print_of = hashlib.sha256(recording.fingerprint.encode()).hexdigest()[:6]
        place = f"clips/{recording.name}.{print_of}"
        wanted = {segment.id: f"{segment.id}.{self.cutter.kind}" for segment in recording.segments}
        there = set(self.folder.names(place))
        missing = [segment for segment in recording.segments if wanted[segment.id] not in there]
        for clip in self.cutter.clips(recording, missing):
            name = wanted[clip.segment.id]
            self.folder.write(f"{place}/{name}", clip.data)
            there.add(name)
        return {segment: f"{place}/{name}" for segment, name in wanted.items() if name in there}


def windows(segments: Sequence[ExportSegment], longest_s: Seconds) -> Iterator[list[ExportSegment]]:
    """Neighbouring segments that are decoded at once, without long pauses between them.

    Args:
        segments: by start.
        longest_s: of a window, unless one segment alone is longer.
    """
    window: list[ExportSegment] = []
    end_s = 0.0
    for segment in segments:
        if window and (segment.end_s - window[0].start_s > longest_s or segment.start_s > end_s + _GAP_S):
            yield window
            window, end_s = [], 0.0
        window.append(segment)
        end_s = max(end_s, segment.end_s)
    if window:
        yield window


def _problem_with(recording: ExportRecording) -> str | None:
    """Why no clip may be cut: a clip and its text must be of the same bytes."""
    try:
        changed = bool(recording.fingerprint) and fingerprint_now(recording.uri) != recording.fingerprint
    except RecordingError as error:
        return f"the original cannot be read ({error.cause})"
    return "the original has changed since it was transcribed" if changed else None


def _encoded(clip: Any, kind: str) -> bytes:
    """A pydub segment as a FLAC or WAV file; pydub would need a program of its own for FLAC, PyAV brings it along."""
    if kind == "wav":
        return bytes(clip.export(io.BytesIO(), format="wav").getvalue())
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="flac", options={"fflags": "bitexact"}) as container:
        stream = container.add_stream("flac", rate=SAMPLE_RATE, layout="mono")
        samples = np.frombuffer(clip.raw_data, np.int16)
        frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def _audio_segment(samples: Samples) -> Any:
    """One channel as pydub sees it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydub looks for ffmpeg, which we do not need
        from pydub import AudioSegment
    return AudioSegment(samples.tobytes(), sample_width=2, frame_rate=SAMPLE_RATE, channels=1)


def _frame(seconds: Seconds) -> int:
    return round(seconds * SAMPLE_RATE)
