"""Open a container safely and find its first audio stream, the clock of the recording, and its first samples."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from fractions import Fraction
from operator import attrgetter
from typing import TypeAlias

import av
import av.error
import av.logging
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.audio.layout import AudioLayout
from av.audio.stream import AudioStream
from av.codec import Codec, CodecContext
from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard, Disposition, Stream

from funasr_beam.model.audio import ogg
from funasr_beam.model.audio.limits import DecodeLimits
from funasr_beam.model.audio.reference import (
    HEAD_BYTES,
    ISO_FORMAT,
    has_index,
    is_iso_media,
    names_other_files,
    reference_kind,
)
from funasr_beam.model.audio.source import MediaFile
from funasr_beam.model.errors import Cause, RecordingError
from funasr_beam.model.records import MediaInfo, Seconds

DEMUXERS = (
    "aa,aac,aax,ac3,ac4,aea,aiff,amr,amrnb,amrwb,apc,ape,asf,asf_o,au,avi,caf,codec2,"
    "daud,dsf,dss,dts,dtshd,dv,eac3,f4v,flac,flv,gxf,hca,iamf,iff,"
    "ilbc,ircam,kux,live_flv,loas,lxf,matroska,mlp,mmf,mov,mp3,mpc,mpc8,mpeg,"
    "mpegts,mxf,nistsphere,nsv,nut,nuv,ogg,oma,osq,pmp,pva,pvf,qcp,qoa,rl2,rm,"
    "rso,sbc,sds,shn,smjpeg,smk,sox,swf,tak,thp,truehd,tta,voc,vqf,w64,wav,wavarc,wsd,"
    "wtv,wv,wve,xwma"
)
"""ffmpeg's names of what is read: containers of audio and video, none that can name another file or address."""

SEEKABLE = frozenset({"flac", ISO_FORMAT, "matroska,webm"})
SEEKABLE_PCM = frozenset({"wav", "w64", "aiff", "caf", "au"})
"""Containers whose time stamps are the same after a seek; all others are read from their beginning."""

MIN_RATE_HZ, MAX_RATE_HZ = 1_000, 768_000

MAX_GAP_S = 3600
"""A longer jump of the time stamps is a broken clock and not silence."""

av.logging.set_level(None)


AudioPacket: TypeAlias = "Packet[AudioStream]"
Primed: TypeAlias = "tuple[AudioPacket, list[AudioFrame]]"


@dataclass(frozen=True)
class AudioShape:
    """What the first decoded frame says; headers are wrong about it in HE-AAC and elsewhere."""

    sample_rate: int
    num_channels: int


@dataclass(frozen=True)
class DecoderRecipe:
    """What a decoder was told before it saw a packet, so that another one can begin anywhere in the stream."""

    codec: Codec
    extradata: bytes | None
    sample_rate: int
    layout: AudioLayout

    @classmethod
    def of(cls, context: AudioCodecContext) -> "DecoderRecipe":
        """The recipe of a context that has not been opened yet."""
        return cls(context.codec, context.extradata, context.sample_rate, context.layout)

    def make(self) -> AudioCodecContext:
        """A decoder without any past."""
        context: AudioCodecContext = CodecContext.create(self.codec)
        context.thread_count = 1
        context.extradata = self.extradata
        context.sample_rate = self.sample_rate
        if self.layout.nb_channels:
            context.layout = self.layout
        return context


@dataclass
class OpenAudio:
    """An open container at its first audio packet.

    `primed` holds the packets that were decoded to learn the shape, each with its frames: reading begins with them.
    """

    file: MediaFile
    container: InputContainer
    stream: AudioStream
    recipe: "DecoderRecipe"
    shape: AudioShape
    zero_s: Fraction  # the container's time that is second 0 of the recording
    first_s: Fraction  # the container's time of the first sample
    primed: list[Primed] = field(default_factory=list)
    errors_before: int = 0
    is_chained: bool = False  # several Ogg streams one after another, each with a clock of its own

    @property
    def context(self) -> AudioCodecContext:
        """The decoder that has already decoded the primed packets."""
        return _context(self.stream)

    @property
    def codec(self) -> str:
        """The name of the codec, such as "mp3" or "pcm_s16le", whichever decoder is at work."""
        return str(self.context.codec.canonical_name)

    @property
    def tick_s(self) -> Fraction:
        """The unit of the stream's time stamps."""
        return _tick_s(self.stream)

    @property
    def can_seek(self) -> bool:
        """Whether a jump gives the same time stamps as reading on."""
        name = self.container.format.name
        if name == "ogg":
            return not self.is_chained
        return name in SEEKABLE or (name in SEEKABLE_PCM and self.codec.startswith("pcm_"))

    def media(self, duration_s: Seconds | None) -> MediaInfo:
        """What the tables tell of the file, with this length."""
        shape, streams = self.shape, len(self.container.streams.audio)
        name = self.container.format.name
        return MediaInfo(name, self.codec, shape.sample_rate, shape.num_channels, duration_s, streams)

    def packets(self) -> Iterator[AudioPacket]:
        """The packets of the stream after the primed ones."""
        return filter(attrgetter("size"), self.container.demux(self.stream))

    def close(self) -> None:
        """Close the container, not the file."""
        self.container.close()


def open_audio(file: MediaFile, limits: DecodeLimits) -> OpenAudio:
    """The first audio stream of a file, with as much decoded as tells its shape.

    Second 0 is the first sample of the audio, or, where a video begins earlier, the first picture: the time that a
    player shows.

    Raises:
        RecordingError: why there is no audio to be had.
    """
    with ExitStack() as on_failure:
        container = open_container(file)
        on_failure.callback(container.close)
        stream = _first_audio(file, container)
        recipe = DecoderRecipe.of(stream.codec_context)
        primed, frame, errors = _first_frame(file, container, stream)
        first_s = _time_of(frame, stream)
        is_chained = container.format.name == "ogg" and ogg.is_chained(file)
        shape = _checked_shape(file, frame, limits)
        zero_s = _zero(container, first_s)
        on_failure.pop_all()
    return OpenAudio(file, container, stream, recipe, shape, zero_s, first_s, primed, errors, is_chained)


def open_container(file: MediaFile) -> InputContainer:
    """The container in a file, by content alone and with nothing else within reach.

    Raises:
        RecordingError: REFERENCE_FORMAT, NOT_MEDIA, TRUNCATED (an MP4 without its index), OUT_OF_MEMORY.
    """
    head = file.read_at(0, HEAD_BYTES)
    _refuse_references(file, head)
    if is_iso_media(head) and not has_index(file):
        raise RecordingError(
            Cause.TRUNCATED, f"{file.uri}: has no whole index (moov), without which nothing can be found; copy it anew"
        )
    file.seek(0)
    try:
        return _open(file)
    except av.error.MemoryError as error:
        raise out_of_memory(file) from error
    except (av.error.FFmpegError, UnicodeError) as error:
        raise file.failure or _not_media(file, error) from error


def out_of_memory(file: MediaFile) -> RecordingError:
    """The failure of a file that asks for more memory than a decoder gets."""
    return RecordingError(
        Cause.OUT_OF_MEMORY, f"{file.uri}: decoding asks for more memory than decode.memory_mb allows"
    )


def _open(file: MediaFile) -> InputContainer:
    options = {"format_whitelist": DEMUXERS, "protocol_whitelist": "", "enable_drefs": "0"}
    container: InputContainer = av.open(
        file, mode="r", container_options=options, metadata_errors="replace", buffer_size=2**16, io_open=_refuse_other
    )
    return container


def _refuse_other(url: str, *_: object) -> None:
    raise RecordingError(Cause.REFERENCE_FORMAT, f"the file names another one ({url!r}), which is never followed")


def _refuse_references(file: MediaFile, head: bytes) -> None:
    kind = reference_kind(head)
    if kind is None and is_iso_media(head) and names_other_files(file):
        kind = "a movie whose sound lies in another file"
    if kind is not None:
        raise RecordingError(
            Cause.REFERENCE_FORMAT, f"{file.uri}: is {kind}, which is never followed; give the files it names"
        )


def _not_media(file: MediaFile, error: Exception) -> RecordingError:
    reason = getattr(error, "strerror", None) or error
    return RecordingError(Cause.NOT_MEDIA, f"{file.uri}: is no audio or video that can be read ({reason})")


def _first_audio(file: MediaFile, container: InputContainer) -> AudioStream:
    if not container.streams.audio:
        raise RecordingError(Cause.NO_AUDIO_STREAM, f"{file.uri}: {container.format.name} without any audio stream")
    chosen = container.streams.audio[0]
    if chosen.codec_context is None:
        raise RecordingError(Cause.UNSUPPORTED_CODEC, f"{file.uri}: no decoder for its audio codec; convert it first")
    chosen.codec_context.thread_count = 1
    for stream in container.streams:
        if stream.index != chosen.index:
            stream.discard = Discard.all
    return chosen


def _first_frame(
    file: MediaFile, container: InputContainer, stream: AudioStream
) -> tuple[list[Primed], AudioFrame, int]:
    primed: list[Primed] = []
    errors = 0
    try:
        for packet in container.demux(stream):
            try:
                frames = [frame for frame in stream.codec_context.decode(packet or None) if frame.samples]
            except av.error.MemoryError as error:
                raise out_of_memory(file) from error
            except av.error.FFmpegError:
                errors, frames = errors + 1, []
            # Only what leads up to the first frame is kept, not a whole file of broken packets.
            primed = [*primed[-63:], (packet, frames)] if packet.size else primed
            if frames:
                return primed, frames[0], errors
    except av.error.FFmpegError as error:
        raise file.failure or _nothing_decoded(file, stream, errors) from error
    raise file.failure or _nothing_decoded(file, stream, errors)


def _nothing_decoded(file: MediaFile, stream: AudioStream, errors: int) -> RecordingError:
    name = stream.codec_context.name
    return RecordingError(
        Cause.NO_AUDIO_DECODED,
        f"{file.uri}: not one sample could be decoded from its {name} stream ({errors} bad packets)",
    )


def _checked_shape(file: MediaFile, frame: AudioFrame, limits: DecodeLimits) -> AudioShape:
    shape = AudioShape(frame.sample_rate, frame.layout.nb_channels)
    if not MIN_RATE_HZ <= shape.sample_rate <= MAX_RATE_HZ:
        raise RecordingError(
            Cause.UNSUPPORTED_CODEC, f"{file.uri}: a sample rate of {shape.sample_rate} Hz is no audio"
        )
    if not 1 <= shape.num_channels <= limits.max_channels:
        raise RecordingError(
            Cause.UNSUPPORTED_CODEC,
            f"{file.uri}: has {shape.num_channels} channels, the most is {limits.max_channels}; split it first",
        )
    return shape


def _time_of(frame: AudioFrame, stream: AudioStream) -> Fraction:
    start = frame.pts if frame.pts is not None else stream.start_time
    return Fraction(0) if start is None else Fraction(start * (frame.time_base or _tick_s(stream)))


def _context(stream: AudioStream) -> AudioCodecContext:
    context: AudioCodecContext = stream.codec_context  # typed as Any in the library
    return context


def _tick_s(stream: Stream) -> Fraction:
    return stream.time_base or Fraction(1, 1000)


def _zero(container: InputContainer, first_s: Fraction) -> Fraction:
    starts = [first_s]
    for video in container.streams.video:
        # A cover picture is a video stream of one frame; a picture an hour earlier is a broken clock.
        if video.start_time is not None and not video.disposition & Disposition.attached_pic:
            starts.append(video.start_time * _tick_s(video))
    return min(start for start in starts if start > first_s - MAX_GAP_S)
