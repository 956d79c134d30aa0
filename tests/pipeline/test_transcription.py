"""What becomes of the settings on their way from the configuration to the recogniser."""

import logging

import pytest
import torch

from funasr_beam.model.checkpoint import DEMO_FOLDER
from funasr_beam.model.commits import CommittedUnits
from funasr_beam.model.recognizers.families import describe_model
from funasr_beam.model.storage import Folder
from funasr_beam.model.transcripts import load_transcriber
from funasr_beam.pipeline.config_sources import load_config
from funasr_beam.pipeline.transcription import _stage, _warn_of_precision, fit_segmentation

REMOTE = "https://host/v1#tiny"


def config_of(model, **told):
    flags = {"input": ("in",), "output": "out", "model": model, "recognition.device": "cpu"}
    return load_config(None, [], flags | {f"recognition.{key}": value for key, value in told.items()})


@pytest.mark.skipif(not DEMO_FOLDER.is_dir(), reason="the demo checkpoint has not been trained yet")
def test_the_precisions_of_the_configuration_are_those_of_the_loaded_model(tmp_path):
    config, checkpoint = config_of("demo", llm_precision="bfloat16"), describe_model("demo")
    committed = CommittedUnits(Folder(str(tmp_path)), "hash")
    stage = _stage(config, checkpoint, fit_segmentation(config, checkpoint), committed)
    (member,) = load_transcriber(stage.transcriber).members
    model = member.transcriber._recognizer._model
    assert (model.lm_head.weight.dtype, model.model.audio_tower.dtype) == (torch.bfloat16, torch.float32)


@pytest.mark.parametrize(
    ("model", "told", "left_out"),
    [
        ("demo", {"llm_precision": "bfloat16", "encoder_precision": "bfloat16"}, []),
        (REMOTE, {}, []),
        (REMOTE, {"encoder_precision": "float32"}, ["encoder_precision"]),
        (REMOTE, {"llm_precision": "float32"}, ["llm_precision"]),
        (
            REMOTE,
            {"llm_precision": "bfloat16", "encoder_precision": "bfloat16"},
            ["llm_precision", "encoder_precision"],
        ),
    ],
)
def test_a_precision_that_a_model_cannot_be_given_is_told(model, told, left_out, caplog):
    with caplog.at_level(logging.WARNING):
        _warn_of_precision(config_of(model, **told), describe_model(model))
    named = [record.message.partition(" ")[0] for record in caplog.records]
    assert named == [f"recognition.{name}" for name in left_out]
