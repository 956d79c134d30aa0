"""What all recognisers share whose model is loaded in this process, whatever its family."""

from typing import Any

import numpy as np

from funasr_beam.model.checkpoint import CheckpointInfo, CheckpointRef, describe, local_folder
from funasr_beam.model.devices import pick_device
from funasr_beam.model.errors import Cause, RecordingError
from funasr_beam.model.languages import language_code
from funasr_beam.model.recognizers.base import RecognizerSettings, Utterance
from funasr_beam.model.recognizers.precision import warn_of_slow_bfloat16
from funasr_beam.model.records import SAMPLE_RATE, Seconds
from funasr_beam.model.turns import Turn

MIN_SAMPLES = 400
"""One analysis window of 25 ms: the feature extractors fail on less."""


class LocalRecognizer:
    """A checkpoint's facts, the device that it computes on, and the turns that its callers take."""

    def __init__(self, ref: CheckpointRef, settings: RecognizerSettings) -> None:
        """Find the checkpoint and the device; loads no weights.

        Raises:
            funasr_beam.model.errors.RunError: either is not there.
        """
        self._settings = settings
        self._folder = local_folder(ref)
        self._info = describe(ref)
        self._device = pick_device(settings.device)
        warn_of_slow_bfloat16(settings, self._device)
        self._turn = Turn(on_gpu=self._on_gpu)

    @property
    def _on_gpu(self) -> bool:
        return self._device.type == "cuda"

    def describe(self) -> CheckpointInfo:
        """Which model this is."""
        return self._info

    def _budget(self, utterance: Utterance) -> int:
        """The most tokens that this utterance may take."""
        return self._settings.base_tokens + round(self._settings.tokens_per_s * utterance.duration_s)


def check_samples(samples: Any, longest_s: Seconds, limit: str) -> None:
    """Refuse samples that a model cannot take.

    Args:
        samples: of one utterance.
        longest_s: the longest that the model takes.
        limit: how the message tells it.

    Raises:
        RecordingError: shorter than one analysis window, or too long.
        ValueError: no (frames,) int16 array; floating point could hold NaN, which models take without an error.
    """
    if samples.dtype != np.int16 or samples.ndim != 1:
        raise ValueError(f"samples are {samples.dtype} of shape {samples.shape}; needed: int16 of shape (frames,)")
    if len(samples) < MIN_SAMPLES:
        raise RecordingError(Cause.TOO_SHORT, f"{len(samples)} samples; one analysis window needs {MIN_SAMPLES}")
    if len(samples) / SAMPLE_RATE > longest_s:
        message = f"a segment of {len(samples) / SAMPLE_RATE:.1f} s; {limit}"
        raise RecordingError(Cause.MODEL_ERROR, message)


def check_language(utterance: Utterance, info: CheckpointInfo) -> None:
    """Refuse a language that the checkpoint does not know.

    Raises:
        RecordingError: it does not, and which come close.
    """
    try:
        language_code(utterance.options.language, info.languages)
    except ValueError as error:
        raise RecordingError(Cause.BAD_OPTIONS, str(error)) from error
