"""Which family of models a name means: what is known of it before it is loaded, and its recogniser."""

from funasr_beam.model.checkpoint import DEMO, CheckpointInfo, describe, describe_endpoint, resolve
from funasr_beam.model.endpoint import Endpoint, is_remote
from funasr_beam.model.families import GLM_ASR, QWEN3_ASR, WHISPER
from funasr_beam.model.imports import import_quietly
from funasr_beam.model.recognizers.base import Recognizer, RecognizerSettings

_FUN_ASR_NANO = "funasr_beam.model.recognizers.fun_asr_nano"
_MODULES = {
    QWEN3_ASR.name: "funasr_beam.model.recognizers.qwen3_asr",
    GLM_ASR.name: "funasr_beam.model.recognizers.glm_asr",
    WHISPER.name: "funasr_beam.model.recognizers.whisper",
}


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
    family = describe(ref).family
    import_quietly(_MODULES.get(family.name, _FUN_ASR_NANO))
    if family is QWEN3_ASR:
        from funasr_beam.model.recognizers.qwen3_asr import load_qwen3_asr

        return load_qwen3_asr(ref, settings)
    if family is GLM_ASR:
        from funasr_beam.model.recognizers.glm_asr import load_glm_asr

        return load_glm_asr(ref, settings)
    if family is WHISPER:
        from funasr_beam.model.recognizers.whisper import WhisperRecognizer

        return WhisperRecognizer(ref, settings)
    from funasr_beam.model.recognizers.fun_asr_nano import FunAsrNanoRecognizer

    return FunAsrNanoRecognizer.load(ref, settings)
