"""Sound behind the end that a header names is noticed; what belongs there is no sound."""

import pytest

from funasr_beam.model.audio.decode import TimeRange, decode_range
from funasr_beam.model.audio.source import MediaSource
from funasr_beam.model.audio.trailing import goes_on_behind_its_end
from funasr_beam.model.errors import Cause
from tests.media import AAC, FASTSTART, Encoding, speech_like, told, wav_bytes, write_media


def chunk(kind, size):
    return kind + size.to_bytes(4, "little") + b"x" * size


@pytest.mark.parametrize(
    ("behind", "goes_on"),
    [
        (b"", False),
        (chunk(b"LIST", 40_000), False),
        (chunk(b"LIST", 7) + b"\0" + chunk(b"id3 ", 40_000), False),
        (chunk(b"LIST", 7) + chunk(b"id3 ", 40_000), False),  # without the byte that fills up
        (bytes(40_000), False),
        (speech_like(2, 16_000, seed=3).tobytes(), True),
        (chunk(b"LIST", 500) + speech_like(2, 16_000, seed=3).tobytes(), True),
        (wav_bytes(speech_like(2, 16_000, seed=3).tobytes()), True),
        (wav_bytes(speech_like(2, 16_000, seed=3).tobytes())[36:], True),
    ],
)
def test_sound_behind_the_end_of_a_wav_is_noticed_and_chunks_are_none(tmp_path, behind, goes_on):
    path = tmp_path / "a.wav"
    path.write_bytes(wav_bytes(speech_like(3, 16_000).tobytes()) + behind)
    assert told(path, goes_on_behind_its_end) == goes_on
    assert (Cause.DAMAGED in decode_range(MediaSource(str(path))).causes) == goes_on


ISO = {
    "m4a": AAC,
    "mp4": FASTSTART,
    "mov": Encoding("pcm_s16le"),
    "3gp": AAC,
}
FRAGMENTED = Encoding("aac", options=(("movflags", "frag_keyframe+empty_moov"),))


@pytest.mark.parametrize("ending", [*ISO, "aiff"])
def test_a_second_file_behind_the_first_is_noticed(tmp_path, ending):
    encoding = ISO.get(ending, Encoding("pcm_s16be"))
    first, second = (
        write_media(tmp_path / f"{seed}.{ending}", speech_like(3, 16_000, seed=seed), 16_000, encoding).read_bytes()
        for seed in (1, 2)
    )
    path = tmp_path / f"joined.{ending}"
    for behind, goes_on in ((second, True), (b"", False), (bytes(40_000), False)):
        path.write_bytes(first + behind)
        (note,) = decode_range(MediaSource(str(path))).summary.notes or (None,)
        assert (note is not None) == goes_on
        assert note is None or (note.cause is Cause.DAMAGED and "split the file" in note.message)


def test_only_the_end_of_a_recording_is_asked_what_lies_behind(tmp_path):
    samples = speech_like(3, 16_000).tobytes()
    path = tmp_path / "a.wav"
    path.write_bytes(wav_bytes(samples) * 2)
    assert decode_range(MediaSource(str(path)), TimeRange(0.0, 1.0)).causes == ()


@pytest.mark.parametrize("encoding", [FRAGMENTED, FASTSTART])
def test_a_film_of_fragments_and_what_others_append_are_no_second_file(tmp_path, encoding):
    path = write_media(tmp_path / "a.mp4", speech_like(30, 16_000), 16_000, encoding)
    with path.open("ab") as file:
        file.write((40_008).to_bytes(4, "big") + b"uuid" + b"x" * 40_000)
    assert decode_range(MediaSource(str(path))).causes == ()
