"""What a file holds, and how long it is, before anything is planned."""

from funasr_beam.model.audio.container import open_audio
from funasr_beam.model.audio.duration import planned_duration_s
from funasr_beam.model.audio.limits import DEFAULT_LIMITS, DecodeLimits
from funasr_beam.model.audio.source import MediaFile, MediaSource
from funasr_beam.model.records import MediaInfo


def probe(source: MediaSource, limits: DecodeLimits = DEFAULT_LIMITS) -> MediaInfo:
    """Container, codec, shape and duration of the first audio stream, in this very process: for trusted files.

    The duration is good for planning: streams without an exact index (mp3 without a whole Xing header, raw AAC, live
    WebM) are read once, packet by packet, without decoding.

    Raises:
        RecordingError: there is no audio to be had, and why.
    """
    with source.open() as file:
        return probe_file(file, limits)


def probe_file(file: MediaFile, limits: DecodeLimits) -> MediaInfo:
    """The same as `probe` for a file that is open already."""
    audio = open_audio(file, limits)
    try:
        return audio.media(planned_duration_s(audio))
    finally:
        audio.close()
