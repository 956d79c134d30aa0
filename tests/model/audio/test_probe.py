"""Durations that a plan can be built on."""

import numpy as np
import pytest

from funasr_beam.model.audio.decode import decode_range
from funasr_beam.model.audio.probe import probe
from funasr_beam.model.audio.source import MediaSource
from tests.media import AAC, ADTS, FLAC, MP3, OPUS, PCM, VORBIS, Encoding, speech_like, wav_bytes, write_media

CASES = [
    ("a.wav", PCM, "wav", "pcm_s16le"), ("a.mp3", MP3, "mp3", "mp3"),
    ("a.m4a", AAC, "mov,mp4,m4a,3gp,3g2,mj2", "aac"),
    ("a.flac", FLAC, "flac", "flac"), ("a.opus", OPUS, "ogg", "opus"), ("a.ogg", VORBIS, "ogg", "vorbis"),
    ("a.mka", AAC, "matroska,webm", "aac"), ("a.webm", OPUS, "matroska,webm", "opus"), ("a.aac", ADTS, "aac", "aac"),
    ("a.avi", Encoding("pcm_s16le"), "avi", "pcm_s16le"), ("a.ts", Encoding("mp2"), "mpegts", "mp3"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "encoding", "container", "codec"), CASES, ids=[row[0] for row in CASES])
def test_container_codec_and_shape_are_told_and_the_duration_is_that_of_decoding(
    tmp_path, name, encoding, container, codec
):
    path = write_media(tmp_path / name, speech_like(5, 48_000, 2), 48_000, encoding)
    media = probe(MediaSource(str(path)))
    assert media.container == container
    assert media.codec == codec  # in a transport stream layer II and III of MPEG audio share a name
    assert (media.sample_rate, media.num_channels) == (48_000, 2)
    decoded_s = decode_range(MediaSource(str(path))).samples.shape[1] / 16_000
    assert media.duration_s == pytest.approx(decoded_s, abs=0.08)


def _without_xing(data: bytes) -> bytes:
    at = data.index(b"Info") if b"Info" in data[:4000] else data.index(b"Xing")
    return data[data.index(b"\xff\xfb", at) :] if b"\xff\xfb" in data[at:] else data[at + 400 :]


@pytest.mark.parametrize("vbr", [False, True])
def test_an_mp3_without_a_header_of_its_own_is_counted_packet_by_packet(tmp_path, vbr):
    sound = np.concatenate([speech_like(20, 44_100), np.zeros((1, 40 * 44_100), np.int16)], axis=1)
    path = write_media(tmp_path / "a.mp3", sound, 44_100, MP3 if not vbr else Encoding("libmp3lame", bit_rate=None))
    path.write_bytes(_without_xing(path.read_bytes()))
    assert probe(MediaSource(str(path))).duration_s == pytest.approx(60.0, abs=0.1)


def test_a_header_that_claims_more_than_the_bytes_can_hold_is_not_believed(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(wav_bytes(speech_like(3, 16_000).tobytes(), data_size=3_000_000_000))
    assert probe(MediaSource(str(path))).duration_s == pytest.approx(3.0, abs=0.01)


def test_live_webm_without_a_duration_is_counted(tmp_path):
    encoding = Encoding("libopus", options=(("live", "1"),))
    path = write_media(tmp_path / "a.webm", speech_like(7, 48_000), 48_000, encoding)
    assert probe(MediaSource(str(path))).duration_s == pytest.approx(7.0, abs=0.05)
