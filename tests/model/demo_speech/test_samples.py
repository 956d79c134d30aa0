"""The samples and the media files they are encoded as."""

from pathlib import Path

import av
import numpy as np
import pytest

from funasr_beam.model.demo_speech import encode as media
from funasr_beam.model.demo_speech.encode import Media, encode
from funasr_beam.model.demo_speech.samples import SPOKEN, reference

KINDS = [
    ("a.wav", media.WAV),
    ("a.wav", media.MULAW),
    ("a.flac", media.FLAC),
    ("a.mp3", media.MP3),
    ("a.m4a", media.M4A),
    ("a.opus", media.OPUS),
    ("a.mp4", media.MP4),
]


@pytest.mark.parametrize(("name", "kind"), KINDS)
@pytest.mark.parametrize("channels", [1, 2])
def test_every_kind_of_file_decodes_to_the_same_length(tmp_path: Path, name: str, kind: Media, channels: int) -> None:
    samples = 0.1 * np.sin(np.arange(32_000) / 10).astype(np.float32)
    encode(np.stack([samples] * channels, axis=1), tmp_path / name, kind)
    with av.open(str(tmp_path / name)) as container:
        stream = container.streams.audio[0]
        assert stream.codec_context.channels == channels
        decoded = sum(frame.samples for frame in container.decode(stream)) / stream.rate
    assert decoded == pytest.approx(2.0, abs=0.15)


def test_encoding_is_deterministic(tmp_path: Path) -> None:
    samples = 0.1 * np.sin(np.arange(32_000) / 10).astype(np.float32)
    for name in ("a.mp4", "b.mp4"):
        encode(samples, tmp_path / name, media.MP4)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_samples_have_names_of_their_own_and_one_basename_twice() -> None:
    assert len({sample.uri for sample in SPOKEN}) == len({sample.id for sample in SPOKEN}) == len(SPOKEN)
    basenames = [sample.uri.rsplit("/", 1)[-1] for sample in SPOKEN]
    assert basenames.count("call.mp3") == 2


@pytest.mark.usefixtures("espeak")
def test_a_reference_names_channels_and_words() -> None:
    from funasr_beam.model.demo_speech.recording import render

    sample = next(sample for sample in SPOKEN if sample.stereo)
    line = reference(sample, render(sample.recipe, sample.uri))
    turns = line["turns"]
    assert isinstance(turns, list)
    assert {turn["channel"] for turn in turns} == {0, 1}
    assert [word["word"] for word in turns[0]["words"]] == turns[0]["text"].split()
