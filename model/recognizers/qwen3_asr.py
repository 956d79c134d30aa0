"""Qwen3-ASR on transformers' native classes: 30 languages, hotwords and context in the system prompt."""

import functools
from typing import Any

import numpy as np
from transformers import Qwen3ASRForConditionalGeneration, Qwen3ASRProcessor
from transformers.models.qwen3_asr.processing_qwen3_asr import LANGUAGE_CODE_TO_NAME

from funasr_beam.model.checkpoint import CheckpointRef
from funasr_beam.model.errors import RunError
from funasr_beam.model.languages import language_code
from funasr_beam.model.recognizers.audio_llm import Answer, AudioLlm, AudioLlmRecognizer, hint_text
from funasr_beam.model.recognizers.base import RecognizerSettings
from funasr_beam.model.records import RecognitionOptions

TEXT_MARK = "<asr_text>"
"""Stands between the language that the model names and the text."""

_CODES = {name: code for code, name in LANGUAGE_CODE_TO_NAME.items()}
_SILENCE = np.zeros(1, dtype=np.float32)  # the prompt is written before the audio is looked at


def load_qwen3_asr(ref: CheckpointRef, settings: RecognizerSettings) -> AudioLlmRecognizer:
    """A recogniser with a Qwen3-ASR checkpoint; where no language is told, the model names the one it heard.

    Raises:
        RunError: the checkpoint cannot be loaded, or the device is not there.
    """
    family = AudioLlm(Qwen3ASRForConditionalGeneration, Qwen3ASRProcessor, _request, _read)
    return AudioLlmRecognizer(ref, settings, family)


def _request(processor: Any, options: RecognitionOptions) -> str:
    return _prompt(processor, language_code(options.language), hint_text(options, processor.tokenizer))


@functools.lru_cache(maxsize=1_024)
def _prompt(processor: Any, language: str | None, hints: str | None) -> str:
    """The checkpoint's own chat template, filled in; the language begins the answer, so that it is not in doubt."""
    requests = processor.apply_transcription_request(audio=[_SILENCE], language=language, prompt=hints, tokenize=False)
    return str(requests[0])


def _read(processor: Any, token_ids: tuple[int, ...]) -> Answer:
    """The text is what follows the mark; "language None" before it means that there is no speech."""
    mark = processor.tokenizer.get_vocab().get(TEXT_MARK)
    if mark is None:
        raise RunError(f"the tokenizer lacks the token {TEXT_MARK}: not one of Qwen3-ASR")
    if mark not in token_ids:
        return Answer(token_ids)
    place = token_ids.index(mark)
    named = processor.tokenizer.decode(list(token_ids[:place]), skip_special_tokens=True)
    return Answer(token_ids[place + 1 :], _CODES.get(named.removeprefix("language ").strip()))
