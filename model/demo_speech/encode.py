"""Samples as media files of many kinds, encoded in process by PyAV."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import soxr
from numpy.typing import NDArray

from funasr_beam.model.demo_speech.channel import SAMPLE_RATE, Samples

BLOCK_S = 0.1
VIDEO_RATE, VIDEO_SIZE = 5, (64, 48)


@dataclass(frozen=True)
class Media:
    """A kind of file: audio codec, sample rate, bits a second for lossy codecs, and whether a picture goes along."""

    codec: str
    rate: int = SAMPLE_RATE
    bit_rate: int | None = None
    video: bool = False


WAV = Media("pcm_s16le")
MULAW = Media("pcm_mulaw", rate=8_000)
FLAC = Media("flac")
MP3 = Media("libmp3lame", rate=22_050, bit_rate=48_000)
MP3_SMALL = Media("libmp3lame", bit_rate=24_000)
M4A = Media("aac", rate=44_100, bit_rate=64_000)
OPUS = Media("libopus", rate=48_000, bit_rate=24_000)
MP4 = Media("aac", rate=44_100, bit_rate=64_000, video=True)


def encode(samples: Samples, path: Path, media: Media) -> None:
    """Write samples, (n,) mono or (n, 2) stereo at 16 kHz, as a file; the ending of the name chooses the container."""
    columns = samples.reshape(len(samples), -1)
    resampled = columns if media.rate == SAMPLE_RATE else soxr.resample(columns, SAMPLE_RATE, media.rate)
    whole = np.round(np.clip(resampled, -1, 1) * 32767).astype(np.int16)
    path.parent.mkdir(parents=True, exist_ok=True)
    options = {"fflags": "bitexact"} | ({"movflags": "faststart"} if path.suffix in (".m4a", ".mp4") else {})
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(media.codec, rate=media.rate, layout="stereo" if whole.shape[1] == 2 else "mono")
        if media.bit_rate is not None:
            stream.bit_rate = media.bit_rate
        picture = container.add_stream("mpeg4", rate=VIDEO_RATE) if media.video else None
        if picture is not None:
            picture.width, picture.height, picture.pix_fmt = *VIDEO_SIZE, "yuv420p"
            _encode_picture(container, picture, len(whole) / media.rate)
        _encode_audio(container, stream, whole, media.rate)


def _encode_audio(
    container: av.container.OutputContainer, stream: av.AudioStream, whole: NDArray[np.int16], rate: int
) -> None:
    block = round(BLOCK_S * rate)
    layout = "stereo" if whole.shape[1] == 2 else "mono"
    for start in range(0, len(whole), block):
        part = np.ascontiguousarray(whole[start : start + block]).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(part, format="s16", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def _encode_picture(container: av.container.OutputContainer, stream: av.VideoStream, duration_s: float) -> None:
    """A grey picture that grows lighter, so that the file is a real video and stays small."""
    count = max(1, int(duration_s * VIDEO_RATE))
    for index in range(count):
        grey = np.full((VIDEO_SIZE[1], VIDEO_SIZE[0], 3), 255 * index // count, dtype=np.uint8)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
    container.mux(stream.encode(None))
