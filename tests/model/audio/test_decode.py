"""Samples where they belong: exact times, channels apart, ranges that agree with the whole."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from funasr_beam.model.audio.decode import TimeRange, decode_range
from funasr_beam.model.audio.limits import DecodeLimits
from funasr_beam.model.audio.source import MediaSource
from funasr_beam.model.errors import Cause, RecordingError
from tests.media import (
    AAC,
    ADTS,
    FASTSTART,
    FLAC,
    MP3,
    OPUS,
    PCM,
    VORBIS,
    Encoding,
    speech_like,
    wav_bytes,
    write_media,
)
from tests.signals import chirps, lag_ms

STARTS_S = [0.5, 3.3, 6.71]
TIMED = [
    ("a.wav", PCM, 8_000, 1), ("b.wav", PCM, 44_100, 2), ("c.wav", Encoding("pcm_f32le"), 48_000, 6),
    ("d.wav", Encoding("pcm_mulaw"), 8_000, 2), ("a.flac", FLAC, 44_100, 2), ("b.flac", FLAC, 48_000, 6),
    ("a.m4a", AAC, 44_100, 2), ("b.m4a", FASTSTART, 8_000, 1), ("c.m4a", AAC, 48_000, 1),
    ("a.ogg", VORBIS, 44_100, 2), ("a.opus", OPUS, 48_000, 1), ("b.opus", OPUS, 48_000, 6),
    ("a.mka", AAC, 44_100, 2), ("a.mkv", MP3, 44_100, 1), ("a.webm", OPUS, 48_000, 2),
    ("v.mp4", Encoding("aac", video_s=8), 48_000, 2), ("v.mkv", Encoding("aac", video_s=8), 44_100, 2),
    ("a.mp3", MP3, 44_100, 2), ("b.mp3", MP3, 8_000, 1), ("c.mp3", MP3, 48_000, 1),
    ("a.aiff", Encoding("pcm_s16be"), 44_100, 2), ("a.mov", Encoding("alac"), 44_100, 2),
]  # fmt: skip
# What an encoder puts before the first sample is written down nowhere in these: a constant that every tool shows.
UNTOLD_DELAY_SAMPLES = [("a.aac", ADTS, 44_100, 1024), ("a.ac3", Encoding("ac3"), 48_000, 256)]

RANGED = [
    ("r.wav", PCM, 44_100), ("r.mp3", MP3, 44_100), ("r8.mp3", MP3, 8_000), ("r.m4a", AAC, 44_100),
    ("r.aac", ADTS, 44_100),
    ("r.opus", OPUS, 48_000), ("r.webm", OPUS, 48_000), ("r.ogg", VORBIS, 44_100), ("r.flac", FLAC, 44_100),
    ("r.mka", AAC, 44_100), ("r.ac3", Encoding("ac3"), 48_000), ("r.mov", Encoding("alac"), 11_025),
    ("r-adpcm.wav", Encoding("adpcm_ms"), 22_050), ("r-g722.wav", Encoding("g722"), 16_000),
    ("r.avi", Encoding("libmp3lame"), 32_000), ("r.ts", Encoding("mp2"), 48_000),
    ("r.wma", Encoding("wmav2", bit_rate=96_000), 44_100),
]  # fmt: skip
RANGED_S = 70.0


@pytest.mark.parametrize(("name", "encoding", "rate", "channels"), TIMED, ids=[row[0] for row in TIMED])
def test_a_sound_lies_within_a_millisecond_of_its_time_in_every_channel(tmp_path, name, encoding, rate, channels):
    starts_s = [[start_s + 0.1 * channel for start_s in STARTS_S] for channel in range(channels)]
    path = write_media(tmp_path / name, chirps(rate, starts_s, 8.0), rate, encoding)
    decoded = decode_range(MediaSource(str(path)))
    assert decoded.samples.shape[0] == channels
    heard = [channel for channel in range(channels) if not (channels == 6 and channel == 3)]  # an LFE has no highs
    lags = [lag_ms(decoded.samples[channel], start_s) for channel in heard for start_s in starts_s[channel]]
    assert max(map(abs, lags)) <= 1.0
    assert decoded.causes == ()


@pytest.mark.parametrize(("name", "encoding", "rate", "delay"), UNTOLD_DELAY_SAMPLES, ids=lambda value: str(value)[:8])
def test_a_raw_stream_is_late_by_the_constant_delay_of_its_encoder(tmp_path, name, encoding, rate, delay):
    path = write_media(tmp_path / name, chirps(rate, [STARTS_S], 8.0), rate, encoding)
    samples = decode_range(MediaSource(str(path))).samples[0]
    assert [lag_ms(samples, start_s) for start_s in STARTS_S] == pytest.approx([delay / rate * 1000] * 3, abs=1.0)


@pytest.mark.parametrize("name", ["late.mp4", "late.mkv"])
def test_sound_that_begins_after_the_picture_keeps_the_clock_of_the_picture(tmp_path, name):
    encoding = Encoding("aac", video_s=8, audio_start_s=0.5)
    path = write_media(tmp_path / name, chirps(44_100, [STARTS_S], 8.0), 44_100, encoding)
    decoded = decode_range(MediaSource(str(path)))
    assert max(abs(lag_ms(decoded.samples[0], start_s + 0.5)) for start_s in STARTS_S) <= 25.0  # a movie's tick, mp4
    assert decoded.causes == ()


@pytest.mark.slow
@pytest.mark.parametrize(("name", "encoding"), [("l.mp3", MP3), ("l.m4a", AAC), ("l.opus", OPUS), ("l.mka", AAC)])
def test_an_hour_does_not_drift(tmp_path, name, encoding):
    path = write_media(tmp_path / name, chirps(16_000, [[1.0, 3590.0]], 3600.0), 16_000, encoding)
    source = MediaSource(str(path))
    start, end = (decode_range(source, TimeRange(a, a + 5)).samples[0] for a in (0.0, 3588.0))
    assert abs(lag_ms(start, 1.0)) <= 1.0
    assert abs(lag_ms(end, 2.0)) <= 1.0


@pytest.fixture(scope="module")
def ranged(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[MediaSource, np.ndarray]]:
    """Each format with the samples of the whole recording."""
    folder = tmp_path_factory.mktemp("ranged")
    made = {}
    sounds = {rate: speech_like(RANGED_S, rate, 2) for rate in {row[2] for row in RANGED}}
    for name, encoding, rate in RANGED:
        path = write_media(folder / name, sounds[rate][: 1 if "g722" in name else 2], rate, encoding)
        source = MediaSource(str(path))
        made[name] = (source, decode_range(source).samples)
    return made


@pytest.mark.slow
@pytest.mark.parametrize("name", [row[0] for row in RANGED])
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ends=st.tuples(st.floats(0, RANGED_S + 2), st.floats(0, RANGED_S + 2)).map(sorted))
def test_any_range_is_the_slice_of_the_whole_sample_for_sample(ranged, name, ends):
    source, whole = ranged[name]
    decoded = decode_range(source, TimeRange(*ends))
    expected = whole[:, round(ends[0] * 16_000) : round(ends[1] * 16_000)]
    np.testing.assert_array_equal(decoded.samples, expected)


@pytest.mark.slow
@pytest.mark.parametrize("name", [row[0] for row in RANGED])
def test_spans_put_together_are_the_whole(ranged, name):
    source, whole = ranged[name]
    borders = [0.0, 17.3, 30.0, 44.44, 59.999, None]
    spans = [decode_range(source, TimeRange(a, b)) for a, b in pairwise(borders)]
    np.testing.assert_array_equal(np.concatenate([span.samples for span in spans], axis=1), whole)
    assert [span.summary.reached_end for span in spans] == [False] * 4 + [True]


def test_a_range_past_the_end_is_empty_and_no_error(tmp_path):
    path = write_media(tmp_path / "a.m4a", speech_like(3, 16_000), 16_000, AAC)
    decoded = decode_range(MediaSource(str(path)), TimeRange(100, 200))
    assert decoded.samples.shape == (1, 0)
    assert decoded.summary.reached_end
    assert decoded.causes == ()


def test_channels_stay_apart_and_opposite_phase_does_not_cancel(tmp_path):
    left = speech_like(3, 16_000)[0]
    path = write_media(tmp_path / "a.wav", np.stack([left, -left]), 16_000)
    samples = decode_range(MediaSource(str(path))).samples
    np.testing.assert_array_equal(samples, np.stack([left, -left]))


@pytest.mark.parametrize("rate", [44_100, 48_000, 96_000])
def test_a_tone_above_8_khz_vanishes_and_does_not_fold_down(tmp_path, rate):
    tone = (20_000 * np.sin(2 * np.pi * 10_000 * np.arange(2 * rate) / rate)).astype(np.int16)[None]
    path = write_media(tmp_path / "a.wav", tone, rate)
    inner = decode_range(MediaSource(str(path))).samples[0, 1600:-1600]
    assert np.abs(inner).max() <= 2  # -80 dB


def test_16_khz_pcm_comes_out_bit_for_bit(tmp_path):
    samples = speech_like(40, 16_000, 2)
    path = write_media(tmp_path / "a.wav", samples, 16_000)
    np.testing.assert_array_equal(decode_range(MediaSource(str(path))).samples, samples)


def test_eight_planes_of_a_frame_are_eight_channels(tmp_path):
    samples = speech_like(2, 48_000, 8)
    path = write_media(tmp_path / "a.opus", samples, 48_000, OPUS)
    decoded = decode_range(MediaSource(str(path))).samples
    alike = np.corrcoef(decoded[:, :30_000], samples[:, ::3][:, :30_000])[:8, 8:]
    assert (alike.argmax(axis=1) == np.arange(8)).all()


def test_a_recording_that_goes_on_past_the_cap_is_cut_and_says_so(tmp_path):
    path = write_media(tmp_path / "a.wav", speech_like(10, 16_000), 16_000)
    limits = DecodeLimits(max_samples=4 * 16_000)
    decoded = decode_range(MediaSource(str(path)), limits=limits)
    assert decoded.samples.shape[1] == limits.max_samples
    assert decoded.causes == (Cause.LONGER_THAN_DECLARED,)
    assert decode_range(MediaSource(str(path)), TimeRange(0, 3), limits).causes == ()


def test_a_hole_is_silence_and_what_follows_keeps_its_time(tmp_path):
    path = write_media(tmp_path / "a.m4a", speech_like(8, 16_000), 16_000, FASTSTART)
    sound = decode_range(MediaSource(str(path))).samples[0]
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat")
    middle = start + (len(data) - start) // 2
    data[middle : middle + 3000] = bytes(3000)
    path.write_bytes(data)
    decoded = decode_range(MediaSource(str(path)))
    assert decoded.causes == (Cause.DAMAGED,)
    assert decoded.summary.hole_s > 0.1
    assert len(decoded.samples[0]) == len(sound)
    assert np.corrcoef(decoded.samples[0, -32_000:], sound[-32_000:])[0, 1] > 0.99


def test_a_file_cut_off_keeps_what_there_is(tmp_path):
    samples = speech_like(10, 16_000)
    path = write_media(tmp_path / "a.wav", samples, 16_000)
    path.write_bytes(path.read_bytes()[:160_000])
    decoded = decode_range(MediaSource(str(path)))
    assert decoded.causes == (Cause.TRUNCATED,)
    frames = decoded.samples.shape[1]
    assert frames > 79_000
    np.testing.assert_array_equal(decoded.samples, samples[:, :frames])


def test_only_the_last_span_of_a_file_cut_off_says_so(tmp_path):
    path = write_media(tmp_path / "a.flac", speech_like(40, 16_000), 16_000, FLAC)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 9 // 10])
    source = MediaSource(str(path))
    assert decode_range(source, TimeRange(0, 10)).causes == ()
    assert decode_range(source, TimeRange(30, 40)).causes == (Cause.TRUNCATED,)


def test_less_than_a_window_is_too_short(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(wav_bytes(bytes(2 * 399)))
    with pytest.raises(RecordingError) as caught:
        decode_range(MediaSource(str(path)))
    assert caught.value.cause == Cause.TOO_SHORT


def test_a_range_that_runs_backwards_is_refused():
    with pytest.raises(ValueError, match="no range"):
        TimeRange(3, 2)


def test_a_file_that_shrinks_while_it_is_read_is_truncated(tmp_path: Path, monkeypatch):
    from funasr_beam.model.audio.source import MediaFile

    path = write_media(tmp_path / "a.wav", speech_like(60, 16_000), 16_000)
    original, size = MediaFile.read, path.stat().st_size

    def read_less(self: MediaFile, count: int = -1) -> bytes:
        if self.tell() > size // 2 and path.stat().st_size == size:
            path.write_bytes(path.read_bytes()[: size // 2])
        return original(self, count)

    monkeypatch.setattr(MediaFile, "read", read_less)
    decoded = decode_range(MediaSource(str(path)))
    assert Cause.TRUNCATED in decoded.causes
    assert decoded.samples.shape[1] < 40 * 16_000
