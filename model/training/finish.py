"""The end of a training run: the offset of the word times, and the checkpoint folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from funasr_beam.model.training.config import TrainingConfig
from funasr_beam.model.training.data import WordEncoder
from funasr_beam.model.training.export import export
from funasr_beam.model.training.run import Parts, Workspace
from funasr_beam.model.training.word_errors import time_errors

CALIBRATION_UTTERANCES = 300


def load_trained(parts: Parts, space: Workspace) -> int:
    """Put the last saved state of the listen stage into the parts; its step."""
    saved = torch.load(space.state("listen"), weights_only=True)
    modules = torch.nn.ModuleDict(
        {
            "tower": parts.model.model.audio_tower,
            "head": parts.head,
            "adaptor": parts.model.model.multi_modal_projector,
            "listener": parts.listener,
        }
    )
    modules.load_state_dict(saved["modules"])
    parts.model.tie_weights()
    return int(saved["step"])


def calibrate(parts: Parts) -> None:
    """Set the head's offset so that its word times are right in the median, measured on training utterances."""
    parts.model.eval()
    parts.head.eval()
    count = len(parts.data.store)
    timed = [index for index in range(count) if parts.data.store.utterances[index].words]
    chosen = timed[:: max(1, len(timed) // CALIBRATION_UTTERANCES)]
    if not chosen:
        return
    parts.head.config = replace(parts.head.config, offset_s=0.0)
    errors = time_errors(parts.model, parts.head, parts.data, WordEncoder(parts.tokenizer), chosen)
    parts.head.config = replace(parts.head.config, offset_s=round(-float(np.median(errors)), 4))


def finish(config: TrainingConfig, parts: Parts, folder: Path, trained_on: str, version: str) -> None:
    """Calibrate and write the checkpoint folder."""
    calibrate(parts)
    parts.head.config = replace(parts.head.config, trained=True)
    languages = sorted({utterance.language for utterance in parts.data.store.utterances})
    declaration = {
        "name": config.name,
        "family": "fun-asr-nano",
        "audio_tokens": "all",
        "longest_segment_s": config.longest_segment_s,
        "languages": languages,
        "version": version,
        "trained_on": trained_on,
    }
    export(folder, parts.model, parts.head, parts.tokenizer, declaration)
