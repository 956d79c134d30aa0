"""Packets in order, given out again where the next cell needs them."""

import pytest

from funasr_beam.model.audio.container import OpenAudio, open_audio
from funasr_beam.model.audio.feed import Feed
from funasr_beam.model.audio.limits import DEFAULT_LIMITS
from funasr_beam.model.audio.source import MediaSource
from tests.media import AAC, ADTS, MP3, OPUS, speech_like, write_media

FORMATS = [("a.mp3", MP3), ("a.m4a", AAC), ("a.opus", OPUS), ("a.mka", AAC), ("a.aac", ADTS)]


@pytest.fixture(params=FORMATS, ids=[name for name, _ in FORMATS])
def audio(request, tmp_path):
    name, encoding = request.param
    path = write_media(tmp_path / name, speech_like(20, 16_000), 16_000, encoding)
    with MediaSource(str(path)).open() as file:
        opened = open_audio(file, DEFAULT_LIMITS)
        yield opened
        opened.close()


def starts(feed: Feed) -> list[float]:
    found = []
    while (placed := feed.take()) is not None:
        found.append(placed.start_s)
    return found


def everything(audio: OpenAudio) -> list[float]:
    feed = Feed(audio)
    feed.begin(float("inf"))
    return starts(feed)


def test_packets_cover_the_recording_from_its_start(audio):
    found = everything(audio)
    assert found == sorted(found)
    assert found[0] <= 0.0
    assert 19.8 <= found[-1] <= 20.1


def test_skipping_gives_the_packets_from_the_last_one_before_a_time(audio):
    feed = Feed(audio)
    feed.skip_to(12.0)
    feed.begin(float("inf"))
    after = starts(feed)
    assert after[0] <= 12.0 < after[1]
    assert after[-1] >= 19.8


def test_what_is_kept_is_given_out_again(audio):
    feed = Feed(audio)
    feed.begin(5.0)
    first = [feed.take() for _ in range(400)]
    kept = [placed for placed in first if placed is not None and placed.start_s > 5.0]
    feed.begin(float("inf"))
    again = feed.take()
    assert again is not None
    assert again.start_s <= 5.0
    assert [feed.take() for _ in kept] == kept


def test_the_end_is_told_once_and_for_all(audio):
    feed = Feed(audio)
    feed.begin(float("inf"))
    starts(feed)
    assert feed.ended
    assert feed.take() is None
    assert feed.take_errors() == 0
