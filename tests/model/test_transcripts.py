"""What is loaded for a worker, and in which order."""

import pytest

from funasr_beam.model import transcripts
from funasr_beam.model.aligners import choice, loading
from funasr_beam.model.aligners.choice import AlignmentSettings
from funasr_beam.model.batching import BatchLimits
from funasr_beam.model.checkpoint import describe, resolve
from funasr_beam.model.transcripts import TranscriberConfig, load_transcriber

GPU_LIMITS = BatchLimits(14_400.0, 4_096, 1e6, 960.0)
WITH_ALIGNER = AlignmentSettings("auto", "the-qwen")


class Recognizer:
    on_gpu, batch_limits = True, GPU_LIMITS

    def describe(self):
        return describe(resolve("demo"))


@pytest.fixture
def loaded(monkeypatch):
    """The order in which models are loaded."""
    order = []
    monkeypatch.setattr(loading, "load_aligner", lambda source, *_: order.append(source))
    monkeypatch.setattr(transcripts, "load_recognizer", lambda *_: order.append("recogniser") or Recognizer())
    load_transcriber.cache_clear()
    yield order
    load_transcriber.cache_clear()


def test_aligners_are_loaded_before_the_recogniser_shares_out_what_memory_is_left(loaded):
    load_transcriber(TranscriberConfig("demo", alignment=WITH_ALIGNER))
    assert loaded == ["qwen3", "recogniser"]


@pytest.mark.parametrize(
    ("asked", "limits"), [((0.0, 0), (120.0, 64)), ((60.0, 8), (60.0, 8)), ((900.0, 99), (120.0, 64))]
)
def test_aligners_are_not_given_the_whole_units_that_a_recogniser_divides_by_itself(loaded, asked, limits):
    config = TranscriberConfig("demo", alignment=WITH_ALIGNER, max_padded_s=asked[0], max_items=asked[1])
    aligner = load_transcriber(config)._aligner
    assert (aligner.limits.max_padded_s, aligner.limits.max_items) == limits
    assert aligner.limits.batch_cost_s == choice.LIMITS.batch_cost_s
