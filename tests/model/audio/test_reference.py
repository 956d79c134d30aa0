"""What names other files is recognised, and what only looks like it is not."""

import struct

import pytest

from funasr_beam.model.audio.reference import has_index, is_iso_media, names_other_files, reference_kind
from funasr_beam.model.audio.source import MediaSource
from tests.media import AAC, FASTSTART, Encoding, speech_like, write_media


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\nx.ts",
        "\ufeff#EXTM3U\nx.ts",
        "  \n#extm3u\n",
        "ffconcat version 1.0\nfile x.wav",
        "file '/etc/passwd'\n",
        "[playlist]\nFile1=x",
        "[Reference]\r\nRef1=http://x\r\n",
        "v=0\r\no=- 0 0 IN IP4 1.1.1.1\r\ns=-\r\n",
        '<?xml version="1.0"?><!-- a --><MPD type="static">',
        "<asx version='3'>",
        "<ASX>",
        "http://x/y.mp3\nhttp://x/z.mp3\n",
        "one.wav\ntwo.WAV\n# three\n",
        'FILE "a.wav" WAVE\n TRACK 01 AUDIO\n',
        "REM x\nTITLE x\nFILE a.bin BINARY\n  TRACK 01 MODE1/2352\n",
    ],
)
def test_playlists_and_scripts_are_recognised(text):
    assert reference_kind(text.encode()) is not None


@pytest.mark.parametrize(
    "data",
    [
        b"RIFF\x00\x00\x00\x00WAVEfmt ",
        b"please file this under x",
        b"hello\nworld\n",
        b"<html><body>MPD</body></html>",
        b"ID3\x04\x00\x00#EXTM3U",
        b"fLaC\x00\x00\x00\x22",
        b"",
    ],
)
def test_media_and_other_texts_are_none(data):
    assert reference_kind(data) is None


@pytest.mark.parametrize("encoding", [AAC, FASTSTART, Encoding("aac", video_s=1)])
def test_an_ordinary_movie_names_no_other_file_and_has_its_index(tmp_path, encoding):
    path = write_media(tmp_path / "a.mp4", speech_like(1, 16_000), 16_000, encoding)
    assert is_iso_media(path.read_bytes())
    with MediaSource(str(path)).open() as file:
        assert has_index(file)
        assert not names_other_files(file)


def test_a_movie_whose_sound_lies_elsewhere_names_another_file(tmp_path):
    path = write_media(tmp_path / "a.m4a", speech_like(1, 16_000), 16_000, AAC)
    path.write_bytes(path.read_bytes().replace(b"url \0\0\0\x01", b"url \0\0\0\0"))
    with MediaSource(str(path)).open() as file:
        assert names_other_files(file)


def test_boxes_that_lie_about_their_size_end_the_walk(tmp_path):
    path = tmp_path / "a.mp4"
    for lie in (0, 1, 2, 7, 2**31):
        path.write_bytes(struct.pack(">I", lie) + b"moov" + struct.pack(">Q", 2**63) + b"\0" * 50)
        with MediaSource(str(path)).open() as file:
            names_other_files(file)
            has_index(file)


def test_a_movie_that_ends_inside_its_index_has_none(tmp_path):
    path = write_media(tmp_path / "a.m4a", speech_like(1, 16_000), 16_000, AAC)
    path.write_bytes(path.read_bytes()[:-10])
    with MediaSource(str(path)).open() as file:
        assert not has_index(file)
