"""Which family of models a name means: what is known of it before it is loaded, and its recogniser."""

import importlib

from funasr_beam.model.checkpoint import DEMO, CheckpointInfo, describe, describe_endpoint, resolve
from funasr_beam.model.endpoint import Endpoint, is_remote
from funasr_beam.model.families import FUN_ASR_NANO, GLM_ASR, QWEN3_ASR, WHISPER
from funasr_beam.model.imports import import_quietly
from funasr_beam.model.recognizers.base import Recognizer, RecognizerSettings

_LOADERS = {
    FUN_ASR_NANO.name: ("funasr_beam.model.recognizers.fun_asr_nano", "FunAsrNanoRecognizer"),
    QWEN3_ASR.name: ("funasr_beam.model.recognizers.qwen3_asr", "load_qwen3_asr"),
    GLM_ASR.name: ("funasr_beam.model.recognizers.glm_asr", "load_glm_asr"),
    WHISPER.name: ("funasr_beam.model.recognizers.whisper", "WhisperRecognizer"),
}
"""Family -> module and what in it makes a recogniser of a checkpoint and settings; imported when it is needed."""


def describe_model(model: str) -> CheckpointInfo:
    """What a run records about the model that the user named; loads nothing, needs neither torch nor a GPU.

    Raises:
        funasr_beam.model.errors.UsageError: the name means nothing.
        funasr_beam.model.errors.RunError: the checkpoint cannot be had, or is unsafe or incomplete.
    """
    return describe_endpoint(Endpoint.parse(model)) if is_remote(model) else describe(resolve(model))


def name_for_workers(model: str) -> str:
    """The name under which workers find the same model: a folder by its absolute path, as they may start elsewhere."""
    if is_remote(model) or model == DEMO:
        return model
    ref = resolve(model)
    return str(ref.path) if ref.path is not None else model


def load_recognizer(model: str, settings: RecognizerSettings) -> Recognizer:
    """A recogniser that is ready to work, of whichever family the checkpoint belongs to.

    Raises:
        funasr_beam.model.errors.UsageError: the name means nothing.
        funasr_beam.model.errors.RunError: the checkpoint cannot be loaded, the device is not there, or the endpoint
            does not let us in.
    """
    if is_remote(model):
        from funasr_beam.model.recognizers.remote import RemoteRecognizer

        return RemoteRecognizer(Endpoint.parse(model), settings.remote)
    ref = resolve(model)
    module, loader = _LOADERS[describe(ref).family.name]
    import_quietly(module)
    recognizer: Recognizer = getattr(importlib.import_module(module), loader)(ref, settings)
    return recognizer
