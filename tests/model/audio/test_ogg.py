"""Pages tell of cuts and chains."""

import pytest

from funasr_beam.model.audio.ogg import ends_inside_page, is_chained
from funasr_beam.model.audio.source import MediaSource
from tests.media import FLAC, OPUS, VORBIS, speech_like, write_media


@pytest.fixture(
    params=[
        ("a.opus", OPUS, 48_000, 3),
        ("b.opus", OPUS, 48_000, 30),
        ("a.ogg", VORBIS, 44_100, 20),
        ("c.ogg", FLAC, 44_100, 9),
    ]
)
def ogg(request, tmp_path):
    name, encoding, rate, duration_s = request.param
    return write_media(tmp_path / name, speech_like(duration_s, rate, 2), rate, encoding)


def test_a_whole_file_is_neither_cut_nor_chained(ogg):
    with MediaSource(str(ogg)).open() as file:
        assert not ends_inside_page(file)
        assert not is_chained(file)


def test_a_file_without_its_last_byte_is_cut(ogg):
    ogg.write_bytes(ogg.read_bytes()[:-1])
    with MediaSource(str(ogg)).open() as file:
        assert ends_inside_page(file)


def test_a_file_twice_over_is_chained(ogg):
    ogg.write_bytes(ogg.read_bytes() * 2)
    with MediaSource(str(ogg)).open() as file:
        assert is_chained(file)
