"""Media for tests, written with the encoders inside PyAV's wheel: no ffmpeg program, no fixtures."""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from funasr_beam.model.audio.container import OpenAudio, open_audio
from funasr_beam.model.audio.limits import DEFAULT_LIMITS
from funasr_beam.model.audio.source import MediaSource

CHUNK = 1152
LAYOUTS = {1: "mono", 2: "stereo", 3: "2.1", 4: "quad", 5: "5.0", 6: "5.1", 8: "7.1"}

Audio = npt.NDArray[np.int16] | npt.NDArray[np.float32]


@dataclass(frozen=True)
class Encoding:
    """How to write a file; the container follows from the extension where it is not named."""

    codec: str = "pcm_s16le"
    container: str | None = None
    bit_rate: int | None = None
    options: tuple[tuple[str, str], ...] = ()  # of the container, such as ("movflags", "faststart")
    video_s: float = 0.0  # length of a small video stream beside the audio
    audio_start_s: float = 0.0  # how much later than the video the audio begins


MP3 = Encoding("libmp3lame")
AAC = Encoding("aac")
FASTSTART = Encoding("aac", options=(("movflags", "faststart"),))
ADTS = Encoding("aac", container="adts")
OPUS = Encoding("libopus")
VORBIS = Encoding("vorbis", options=(("strict", "experimental"),))
FLAC = Encoding("flac")
PCM = Encoding()


def write_media(path: Path, samples: Audio, rate: int, encoding: Encoding = PCM) -> Path:
    """Write (channels, frames) int16, or float32 from -1 to 1, as a media file and give its path."""
    with av.open(str(path), "w", format=encoding.container, options=dict(encoding.options)) as container:
        layout = LAYOUTS[samples.shape[0]]
        stream = container.add_stream(encoding.codec, rate=rate, layout=layout)
        if encoding.bit_rate:
            stream.bit_rate = encoding.bit_rate
        if encoding.codec == "vorbis":
            stream.codec_context.options = {"strict": "experimental"}
        video = container.add_stream("mpeg4", rate=10) if encoding.video_s else None
        if video is not None:
            _write_video(container, video, encoding.video_s)
        shift = round(encoding.audio_start_s * rate)
        for frame in _frames(samples, rate, layout, shift):
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def _frames(samples: Audio, rate: int, layout: str, shift: int) -> Iterator[av.AudioFrame]:
    kind = "s16" if samples.dtype == np.int16 else "flt"
    for start in range(0, samples.shape[1], CHUNK):
        # Interleaved, since PyAV 18.1 reads past the planes of frames with eight channels or more.
        packed = np.ascontiguousarray(samples[:, start : start + CHUNK].T).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(packed, kind, layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, start + shift, Fraction(1, rate)
        yield frame


def write_video(path: Path, video_s: float = 2.0) -> Path:
    """A video without any sound."""
    with av.open(str(path), "w") as container:
        _write_video(container, container.add_stream("mpeg4", rate=10), video_s)
    return path


def _write_video(container: av.container.OutputContainer, stream: av.VideoStream, video_s: float) -> None:
    stream.width = stream.height = 32
    stream.pix_fmt = "yuv420p"
    for index in range(round(video_s * 10)):
        frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), index % 256, np.uint8), "rgb24")
        frame.pts, frame.time_base = index, Fraction(1, 10)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def wav_bytes(data: bytes, rate: int = 16_000, **fields: int) -> bytes:
    """A WAV whose header may say anything: format, channels, bits, block, byte_rate, data_size, riff_size."""
    channels, bits = fields.get("channels", 1), fields.get("bits", 16)
    block = fields.get("block", channels * bits // 8)
    head = struct.pack(
        "<HHIIHH",
        fields.get("format", 1),
        channels,
        rate,
        fields.get("byte_rate", min(2**32 - 1, rate * block)),
        block % 65_536,
        bits,
    )
    size = fields.get("data_size", len(data))
    riff = fields.get("riff_size", min(2**32 - 1, 36 + size))
    return (
        b"RIFF"
        + struct.pack("<I", riff)
        + b"WAVEfmt "
        + struct.pack("<I", 16)
        + head
        + b"data"
        + struct.pack("<I", size)
        + data
    )


def speech_like(duration_s: float, rate: int, channels: int = 1, seed: int = 0) -> npt.NDArray[np.int16]:
    """(channels, frames) of band-limited noise in syllables, a different one in every channel."""
    rng = np.random.default_rng(seed)
    frames = round(duration_s * rate)
    noise = rng.standard_normal((channels, frames))
    width = max(1, rate // 3000)
    kernel = np.hanning(width + 2)[1:-1]
    smooth = np.stack([np.convolve(row, kernel / np.sqrt((kernel**2).sum()), "same") for row in noise])
    syllables = 0.55 + 0.45 * np.sin(2 * np.pi * 3.1 * np.arange(frames) / rate)
    return np.clip(smooth * syllables * 5000, -32_000, 32_000).astype(np.int16)


def told(path: Path, tell: Callable[[OpenAudio], Any]) -> Any:
    """What a function tells of a file that is open."""
    with MediaSource(str(path)).open() as file:
        audio = open_audio(file, DEFAULT_LIMITS)
        try:
            return tell(audio)
        finally:
            audio.close()
