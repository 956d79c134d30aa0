"""The end of a training run: the offset of the word times, and the checkpoint folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from funasr_beam.model.training.config import TrainingConfig
from funasr_beam.model.training.data import WordEncoder
from funasr_beam.model.training.export import export
from funasr_beam.model.training.features import SAMPLE_SCALE
from funasr_beam.model.training.labels import CENTRE_S, FRAME_S
from funasr_beam.model.training.parts import Parts
from funasr_beam.model.training.word_errors import time_errors
from funasr_beam.model.version import __version__

CALIBRATION_UTTERANCES = 300
NOMINAL_OFFSET_S = round(CENTRE_S - FRAME_S / 2, 4)


def calibrate(parts: Parts) -> None:
    """Set the head's offset so that its word times are right in the median, measured on training utterances.

    Where no times are known, the middle of a frame's windows decides.
    """
    parts.model.eval()
    parts.head.eval()
    count = len(parts.data.store)
    timed = [index for index in range(count) if parts.data.store.utterances[index].words]
    chosen = timed[:: max(1, len(timed) // CALIBRATION_UTTERANCES)]
    parts.head.config = replace(parts.head.config, offset_s=NOMINAL_OFFSET_S)
    errors = time_errors(parts.model, parts.head, parts.data, WordEncoder(parts.tokenizer), chosen)
    if len(errors):
        parts.head.config = replace(parts.head.config, offset_s=round(NOMINAL_OFFSET_S - float(np.median(errors)), 4))


def finish(config: TrainingConfig, parts: Parts, folder: Path, speech: str) -> None:
    """Calibrate and write the checkpoint folder; `speech` says what it was trained on."""
    calibrate(parts)
    parts.head.config = replace(parts.head.config, trained=True)
    utterances = parts.data.store.utterances
    languages = sorted({utterance.language for utterance in utterances})
    hours = sum(utterance.duration_s for utterance in utterances) / 3600
    declaration = {
        "name": config.name,
        "family": "fun-asr-nano",
        "audio_tokens": "all",
        "sample_scale": SAMPLE_SCALE,
        "longest_segment_s": config.longest_segment_s,
        "languages": languages,
        "version": __version__,
        "trained_on": f"{hours:.1f} h of {speech}",
    }
    export(folder, parts.model, parts.head, parts.tokenizer, declaration)
