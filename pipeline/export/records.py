"""What an exporter is given: recordings with their segments and words, times in seconds on the recording's clock."""

from dataclasses import dataclass

from funasr_beam.model.records import Seconds


@dataclass(frozen=True)
class ExportWord:
    """One word with its time."""

    text: str
    start_s: Seconds
    end_s: Seconds
    confidence: float | None


@dataclass(frozen=True)
class ExportSegment:
    """One segment that has a text."""

    id: str  # recording name, channel, start and end in milliseconds: unique, and sorts by channel and time
    channel: int  # from 0
    start_s: Seconds
    end_s: Seconds
    text: str
    language: str | None
    speaker: str | None
    confidence: float | None
    snr_db: float | None
    words: tuple[ExportWord, ...] | None  # None: segment times only

    @property
    def duration_s(self) -> Seconds:
        """Length."""
        return self.end_s - self.start_s

    @property
    def line(self) -> str:
        """The text on one line."""
        return " ".join(self.text.split())

    @property
    def voice(self) -> str:
        """The speaker, or the channel where nobody knows more."""
        return self.speaker or f"channel{self.channel + 1}"


@dataclass(frozen=True)
class ExportRecording:
    """One recording with its segments by start and channel."""

    name: str  # letters, digits, `.`, `_` and `-`; unique in the output and the same in every export
    id: str
    uri: str
    fingerprint: str
    status: str
    duration_s: Seconds
    codec: str
    sample_rate: int
    num_channels: int
    language: str | None
    segments: tuple[ExportSegment, ...]

    @property
    def channels(self) -> tuple[int, ...]:
        """The channels with segments."""
        return tuple(sorted({segment.channel for segment in self.segments}))

    @property
    def location(self) -> str:
        """The original as other tools want it: a path for a local file, otherwise the URI."""
        return self.uri.removeprefix("file://")


def file_duration_s(recording: ExportRecording) -> Seconds:
    """Duration of the original; never less than what its segments need."""
    return max([recording.duration_s, *(segment.end_s for segment in recording.segments)])
