"""The graph: what reaches a cluster, and what a hint for a GPU covers."""

import pytest
from apache_beam import Pipeline
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.portable_runner import PortableRunner

from funasr_beam.model.audio.limits import DecodeLimits
from funasr_beam.model.commits import CommittedUnits
from funasr_beam.model.errors import RunError
from funasr_beam.model.front_end import FrontEndConfig
from funasr_beam.model.segmentation import SegmentationConfig
from funasr_beam.model.storage import Folder
from funasr_beam.model.transcripts import TranscriberConfig
from funasr_beam.transforms.check_worker import Expected, _Check
from funasr_beam.transforms.transcribe_units import StageConfig, TranscribeUnits

HINT = "type:nvidia-l4;count:1;install-nvidia-driver"
STAGE = ("Check", "Decode", "Recognize", "Commit")


def graph(tmp_path, accelerator):
    """The pipeline as it is sent to a job server."""
    import apache_beam as beam

    committed = CommittedUnits(Folder(str(tmp_path)), "hash")
    config = StageConfig(
        Expected("demo", "identity"),
        FrontEndConfig(SegmentationConfig()),
        DecodeLimits(),
        TranscriberConfig("demo"),
        committed,
    )
    stage = TranscribeUnits(config)
    options = PipelineOptions(["--environment_type=EXTERNAL", "--environment_config=localhost:1"])
    pipeline = Pipeline(options=options)
    units = pipeline | beam.Create([]) | beam.Reshuffle()
    units | (stage.with_resource_hints(accelerator=accelerator) if accelerator else stage)
    return PortableRunner.get_proto_pipeline(pipeline, options)


def hints(proto):
    """The accelerator that each step asks for, by the step's name."""
    found = {}
    for step in proto.components.transforms.values():
        if step.environment_id:
            told = proto.components.environments[step.environment_id].resource_hints
            found[step.unique_name] = "".join(value.decode() for value in told.values())
    return found


def test_a_gpu_is_hinted_for_all_of_the_transcribe_stage_and_for_nothing_else(tmp_path):
    found = hints(graph(tmp_path, HINT))
    inside = {name: hint for name, hint in found.items() if name.startswith("TranscribeUnits")}
    assert all(any(part in name for name in inside) for part in STAGE)
    assert set(inside.values()) == {HINT}
    assert {hint for name, hint in found.items() if name not in inside} == {""}


def test_without_a_hint_there_is_one_kind_of_worker(tmp_path):
    assert len(graph(tmp_path, None).components.environments) == 1


def test_no_credential_of_the_environment_reaches_the_graph(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret-indeed")
    assert b"very-secret-indeed" not in graph(tmp_path, HINT).SerializeToString()


def test_a_worker_with_another_version_is_a_message():
    with pytest.raises(RunError, match="install the same version"):
        _Check(Expected("demo", "identity", version="0.0.1")).setup()


def test_a_worker_with_another_checkpoint_under_the_same_name_is_a_message():
    with pytest.raises(RunError, match="give every machine the same checkpoint"):
        _Check(Expected("demo", "of-another-file")).setup()
