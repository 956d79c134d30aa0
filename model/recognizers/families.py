"""Which family of models a name means: what is known of it before it is loaded, and its recogniser."""

from funasr_beam.model.checkpoint import CheckpointInfo, describe, resolve
from funasr_beam.model.errors import RunError
from funasr_beam.model.families import FUN_ASR_NANO
from funasr_beam.model.recognizers.base import Recognizer, RecognizerSettings


def describe_model(model: str) -> CheckpointInfo:
    """What a run records about the model that the user named; loads nothing, needs neither torch nor a GPU.

    Raises:
        funasr_beam.model.errors.UsageError: the name means nothing.
        funasr_beam.model.errors.RunError: the checkpoint cannot be had, or is unsafe or incomplete.
    """
    return describe(resolve(model))


def load_recognizer(model: str, settings: RecognizerSettings) -> Recognizer:
    """A recogniser that is ready to work, of whichever family the checkpoint belongs to.

    Raises:
        funasr_beam.model.errors.UsageError: the name means nothing.
        funasr_beam.model.errors.RunError: the checkpoint cannot be loaded, or the device is not there.
    """
    ref = resolve(model)
    family = describe(ref).family
    if family is not FUN_ASR_NANO:
        raise RunError(f"{model} is of the family {family.name}, which has no recogniser here yet")
    from funasr_beam.model.recognizers.fun_asr_nano import FunAsrNanoRecognizer

    return FunAsrNanoRecognizer.load(ref, settings)
