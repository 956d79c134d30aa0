"""Headers are believed where they count samples and can be true."""

import pytest

from funasr_beam.model.audio.duration import (
    declared_duration_s,
    is_cut_off,
    planned_duration_s,
    scanned_duration_s,
)
from tests.media import AAC, ADTS, FLAC, MP3, OPUS, PCM, Encoding, speech_like, told, wav_bytes, write_media


@pytest.mark.parametrize(
    ("name", "encoding"), [("a.wav", PCM), ("a.flac", FLAC), ("a.m4a", AAC), ("a.mp3", MP3), ("a.mka", AAC)]
)
def test_headers_that_count_samples_declare_the_duration(tmp_path, name, encoding):
    path = write_media(tmp_path / name, speech_like(5, 16_000), 16_000, encoding)
    assert told(path, declared_duration_s) == pytest.approx(5.0, abs=0.15)


@pytest.mark.parametrize(("name", "encoding"), [("a.aac", ADTS), ("a.opus", OPUS), ("a.avi", Encoding("pcm_s16le"))])
def test_others_declare_nothing(tmp_path, name, encoding):
    path = write_media(tmp_path / name, speech_like(5, 16_000), 16_000, encoding)
    assert told(path, declared_duration_s) is None


def test_the_length_of_a_video_is_not_that_of_its_sound(tmp_path):
    path = write_media(tmp_path / "a.mkv", speech_like(3, 16_000), 16_000, Encoding("aac", video_s=9))
    assert told(path, declared_duration_s) == pytest.approx(3.0, abs=0.15)


@pytest.mark.parametrize(("name", "encoding"), [("a.mp3", MP3), ("a.aac", ADTS), ("a.opus", OPUS), ("a.m4a", AAC)])
def test_counting_packets_agrees_with_planning(tmp_path, name, encoding):
    path = write_media(tmp_path / name, speech_like(5, 16_000), 16_000, encoding)
    assert told(path, scanned_duration_s) == pytest.approx(told(path, planned_duration_s), abs=0.15)


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFF000])
def test_a_wav_from_a_pipe_is_as_long_as_its_bytes_and_not_cut_off(tmp_path, size):
    path = tmp_path / "a.wav"
    path.write_bytes(wav_bytes(speech_like(3, 16_000).tobytes(), data_size=size))
    assert told(path, planned_duration_s) == pytest.approx(3.0, abs=0.01)
    assert not told(path, is_cut_off)


def test_a_wav_shorter_than_its_header_is_cut_off(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(wav_bytes(speech_like(3, 16_000).tobytes())[:-2000])
    assert told(path, is_cut_off)
