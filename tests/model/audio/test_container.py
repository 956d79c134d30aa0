"""What is opened, and what never is."""

import av
import pytest

from funasr_beam.model.audio.container import DEMUXERS, open_audio
from funasr_beam.model.audio.decode import decode_range
from funasr_beam.model.audio.limits import DEFAULT_LIMITS, DecodeLimits
from funasr_beam.model.audio.probe import probe
from funasr_beam.model.audio.source import MediaSource
from funasr_beam.model.errors import Cause, RecordingError
from tests.media import AAC, MP3, Encoding, speech_like, write_media

FOLLOWERS = frozenset({"hls", "dash", "concat", "sdp", "rtp", "rtsp", "sap", "image2", "image2pipe", "lavfi", "tty"})
DEVICES = frozenset({"alsa", "fbdev", "x11grab", "kmsgrab", "video4linux2", "v4l2", "pulse"})


def test_no_demuxer_that_can_name_another_file_or_device_is_allowed():
    assert not set(DEMUXERS.split(",")) & (FOLLOWERS | DEVICES)


def test_every_allowed_demuxer_is_known_or_needs_a_newer_library():
    unknown = set(DEMUXERS.split(",")) - av.formats_available
    assert unknown <= {"f4v"}


def test_second_zero_is_the_first_sample_or_the_first_picture(tmp_path):
    cases = {
        "plain.m4a": (AAC, 0.0),
        "plain.mp3": (MP3, 0.0),
        "late.mkv": (Encoding("aac", video_s=3, audio_start_s=0.75), 0.75),
    }
    for name, (encoding, lead_s) in cases.items():
        path = write_media(tmp_path / name, speech_like(2, 44_100), 44_100, encoding)
        with MediaSource(str(path)).open() as file:
            audio = open_audio(file, DEFAULT_LIMITS)
            assert float(audio.first_s - audio.zero_s) == pytest.approx(lead_s, abs=0.03)
            audio.close()


def test_the_first_audio_stream_is_taken_and_its_shape_is_that_of_its_frames(tmp_path):
    path = write_media(tmp_path / "a.mp4", speech_like(2, 48_000, 2), 48_000, Encoding("aac", video_s=1))
    with MediaSource(str(path)).open() as file:
        audio = open_audio(file, DEFAULT_LIMITS)
        assert (audio.shape.sample_rate, audio.shape.num_channels, audio.codec) == (48_000, 2, "aac")
        audio.close()


def test_other_audio_streams_are_counted(tmp_path):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("pcm_s16le", rate=16_000, layout="mono") for _ in range(3)]
        for stream in streams:
            frame = av.AudioFrame.from_ndarray(speech_like(1, 16_000), "s16", "mono")
            frame.sample_rate, frame.pts = 16_000, 0
            container.mux(stream.encode(frame))
    assert probe(MediaSource(str(path))).audio_streams == 3
    assert decode_range(MediaSource(str(path))).summary.media.audio_streams == 3


def test_more_channels_than_allowed_are_refused_with_the_remedy(tmp_path):
    path = write_media(tmp_path / "a.wav", speech_like(1, 8_000, 6), 8_000)
    with MediaSource(str(path)).open() as file, pytest.raises(RecordingError, match="split it") as caught:
        open_audio(file, DecodeLimits(max_channels=2))
    assert caught.value.cause == Cause.UNSUPPORTED_CODEC
