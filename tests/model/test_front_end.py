"""A long recording on many workers: whatever unit a span is in, its borders and its audio are the same."""

from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from funasr_beam.model.audio.limits import DecodeLimits
from funasr_beam.model.front_end import FrontEnd, FrontEndConfig
from funasr_beam.model.planning import cut_recording
from funasr_beam.model.records import MediaInfo, Recording, Unit
from funasr_beam.model.segmentation import SegmentationConfig
from tests.media import MP3, PCM, write_media

pytestmark = pytest.mark.slow
SAMPLES = Path(__file__).parent.parent.parent / "samples"
SPAN_S, LENGTH_S = 10.0, 40.0
CONFIG = FrontEndConfig(SegmentationConfig(target_s=8, max_s=10), border_window_s=2.0)
FORMATS = {"wav": (PCM, 8000), "mp3": (MP3, 32_000)}


@pytest.fixture(scope="module")
def front_end():
    front_end = FrontEnd(CONFIG, DecodeLimits())
    yield front_end
    front_end.close()


@pytest.fixture(scope="module")
def speech():
    """Two people, (2, frames) at 8 kHz."""
    path = next(SAMPLES.rglob("*stereo*.wav"))
    with av.open(str(path)) as container:
        resampler = av.AudioResampler("s16p", "stereo", 8000)
        parts = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
    heard = np.concatenate([part.to_ndarray() for part in parts], axis=1)
    return np.tile(heard, 10)[:, : int(LENGTH_S * 8000)]


@pytest.fixture(scope="module", params=FORMATS)
def spans(request, speech, tmp_path_factory):
    """Four spans of one recording."""
    encoding, rate = FORMATS[request.param]
    samples = np.repeat(speech, rate // 8000, axis=1)
    path = write_media(tmp_path_factory.mktemp("long") / f"long.{request.param}", samples, rate, encoding)
    media = MediaInfo(request.param, "", rate, 2, LENGTH_S)
    return cut_recording(Recording("r", str(path), "1", 1), media, SPAN_S, "key")


def heard(front_end, units):
    """Borders and segments of all spans, whatever unit they were in."""
    found = [audio for unit in units for audio in front_end.prepare(Unit("u", tuple(unit))).spans]
    found.sort(key=lambda audio: audio.span.index)
    borders = [(audio.start_s, audio.end_s) for audio in found]
    segments = [
        (segment.channel, segment.start_s, segment.end_s, segment.samples.tobytes())
        for audio in found
        for segment in audio.segments
    ]
    return borders, segments


def cut_at(spans, cuts):
    borders = [0, *sorted(cuts), len(spans)]
    return [spans[first:last] for first, last in pairwise(borders) if first < last]


@given(st.sets(st.integers(1, 3)), st.randoms(use_true_random=False))
@settings(max_examples=3, deadline=None)
def test_any_partition_into_units_in_any_order_gives_the_same_borders_and_the_same_samples(
    front_end, spans, cuts, random
):
    units = cut_at(spans, cuts)
    random.shuffle(units)
    borders, segments = heard(front_end, [spans])
    assert heard(front_end, units) == (borders, segments)
    assert segments
    assert borders[0][0] == 0.0
    assert [end for _, end in borders[:-1]] == [start for start, _ in borders[1:]]
    for index, (start_s, _) in enumerate(borders):
        assert abs(start_s - index * SPAN_S) <= CONFIG.border_window_s


def test_a_file_that_the_plan_did_not_open_is_opened_by_its_worker(front_end, spans):
    (whole,) = cut_recording(spans[0].recording, None, SPAN_S, "key")
    ((audio,),) = [front_end.prepare(Unit("u", (whole,))).spans]
    assert audio.failure is None
    assert audio.end_s == pytest.approx(LENGTH_S, abs=0.2)
    assert audio.media.duration_s == pytest.approx(LENGTH_S, abs=0.2)


def test_many_recordings_in_one_unit_keep_their_order_and_what_each_would_have_alone(front_end, spans, tmp_path):
    gone = cut_recording(Recording("gone", str(tmp_path / "gone.wav"), "1", 1), spans[0].media, SPAN_S, "key")[:1]
    unit = (*spans, *gone, spans[2], spans[0], *gone)
    together = front_end.prepare(Unit("u", unit)).spans
    alone = [front_end.prepare(Unit("u", (span,))).spans[0] for span in unit]
    assert [audio.span.recording.id for audio in together] == [span.recording.id for span in unit]
    assert [audio.failure is None for audio in together] == [span.recording.id != "gone" for span in unit]
    assert [audio.speech for audio in together] == [audio.speech for audio in alone]
    assert [len(audio.segments) for audio in together] == [len(audio.segments) for audio in alone]
    assert all(audio.seconds.vad_s > 0 and audio.seconds.decode_s > 0 for audio in together if audio.failure is None)
