"""GLM-ASR-Nano on transformers' native classes: it is told nothing but to transcribe."""

import functools
from typing import Any

import numpy as np
from transformers import GlmAsrForConditionalGeneration, GlmAsrProcessor

from funasr_beam.model.checkpoint import CheckpointRef
from funasr_beam.model.recognizers.audio_llm import Answer, AudioLlm, AudioLlmRecognizer
from funasr_beam.model.recognizers.base import RecognizerSettings
from funasr_beam.model.records import RecognitionOptions

_SILENCE = np.zeros(1, dtype=np.float32)  # the prompt is written before the audio is looked at


def load_glm_asr(ref: CheckpointRef, settings: RecognizerSettings) -> AudioLlmRecognizer:
    """A recogniser with a GLM-ASR checkpoint. It was trained with one request, so hints and language are not passed on.

    Raises:
        funasr_beam.model.errors.RunError: the checkpoint cannot be loaded, or the device is not there.
    """
    family = AudioLlm(GlmAsrForConditionalGeneration, GlmAsrProcessor, _request, _read)
    return AudioLlmRecognizer(ref, settings, family)


def _request(processor: Any, options: RecognitionOptions) -> str:
    del options  # the model knows one request
    return _prompt(processor)


@functools.lru_cache(maxsize=8)
def _prompt(processor: Any) -> str:
    """The checkpoint's own chat template, filled in with its own request."""
    return str(processor.apply_transcription_request(audio=[_SILENCE], tokenize=False)[0])


def _read(processor: Any, token_ids: tuple[int, ...]) -> Answer:
    del processor
    return Answer(token_ids)
