"""The transcribe stage: samples stay inside it, committed units are left alone, a bad recording harms no other."""

import apache_beam as beam
import numpy as np
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from funasr_beam.model.audio.limits import DecodeLimits
from funasr_beam.model.commits import CommittedUnits
from funasr_beam.model.front_end import FrontEndConfig, UnitAudio
from funasr_beam.model.planning import pack_units
from funasr_beam.model.records import MediaInfo, Recording, Span, Unit
from funasr_beam.model.results import UnitResult
from funasr_beam.model.segmentation import SegmentationConfig
from funasr_beam.model.storage import Folder
from funasr_beam.model.transcripts import TranscriberConfig
from funasr_beam.transforms.commit_units import CommitUnits
from funasr_beam.transforms.decode_and_segment import DecodeAndSegment, UnitAudioCoder
from funasr_beam.transforms.transcribe import RecognizerHandler, Transcribe
from tests.media import write_media

FRONT_END = FrontEndConfig(SegmentationConfig(target_s=10, max_s=12))


def span(path, index=0):
    recording = Recording(path.name, str(path), "1", 1)
    return Span(f"{path.name}-{index}", recording, MediaInfo("wav", "pcm_s16le", 16_000, 1, 1.0), index, 0.0, None)


@pytest.fixture
def units(tmp_path):
    """Two units: one of silence with a file that is gone beside it, one of silence alone."""
    quiet = write_media(tmp_path / "quiet.wav", np.zeros((1, 16_000), np.int16), 16_000)
    other = write_media(tmp_path / "other.wav", np.zeros((1, 16_000), np.int16), 16_000)
    (first,) = pack_units([span(quiet), span(tmp_path / "gone.wav")], 1000)
    (second,) = pack_units([span(other)], 1000)
    return [first, second]


@pytest.fixture
def committed(tmp_path):
    return CommittedUnits(Folder(str(tmp_path / "out")), "hash")


def run(build):
    with beam.Pipeline(runner=FnApiRunner(), options=PipelineOptions([])) as pipeline:
        build(pipeline)


def stage(pipeline, units, committed):
    audio = pipeline | beam.Create(units) | DecodeAndSegment(FRONT_END, DecodeLimits(), committed)
    return audio | Transcribe(TranscriberConfig("demo")) | CommitUnits(committed)


@pytest.mark.slow
def test_units_are_committed_and_a_file_that_is_gone_harms_no_neighbour(units, committed):
    run(lambda pipeline: stage(pipeline, units, committed))
    assert sorted(committed.names()) == sorted(unit.name for unit in units)
    quiet, gone = committed.spans(units[0].name)
    assert quiet.failure is None
    assert gone.failure.cause == "not_found"


@pytest.mark.slow
def test_a_committed_unit_is_not_decoded_again(units, committed):
    committed.commit(UnitResult(units[0].name, ()))
    before = committed.output.read(f"{committed.folder}/{units[0].name}.parquet")
    run(lambda pipeline: stage(pipeline, units, committed))
    assert committed.output.read(f"{committed.folder}/{units[0].name}.parquet") == before
    assert committed.has(units[1].name)


def test_samples_that_would_cross_a_shuffle_stop_the_pipeline(units, committed):
    def with_a_shuffle(pipeline):
        audio = pipeline | beam.Create(units) | DecodeAndSegment(FRONT_END, DecodeLimits(), committed)
        return audio | beam.Reshuffle()

    with pytest.raises(Exception, match="keep it fused"):
        run(with_a_shuffle)


def test_the_size_of_samples_is_told_without_encoding_them():
    audio = UnitAudio(Unit("u", ()), ())
    assert UnitAudioCoder().estimate_size(audio) == 0
    assert RecognizerHandler(TranscriberConfig("demo")).get_num_bytes(audio) == 0
    with pytest.raises(TypeError, match="keep it fused"):
        UnitAudioCoder().encode(audio)
