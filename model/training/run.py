"""A whole training run, from manifests to trained parts; started again, it goes on where it was."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.multiprocessing.spawn import spawn
from transformers import PreTrainedTokenizerFast

from funasr_beam.model.alignment import split_words
from funasr_beam.model.demo_speech import english, mandarin
from funasr_beam.model.training.build import normalise_inputs
from funasr_beam.model.training.config import STAGES, StageName, TrainingConfig
from funasr_beam.model.training.encoder_stage import EncoderStage
from funasr_beam.model.training.features import build_features
from funasr_beam.model.training.language_stage import LanguageStage
from funasr_beam.model.training.listen_stage import ListenStage
from funasr_beam.model.training.manifest import read_manifests
from funasr_beam.model.training.parts import Parts, Workspace, make_parts
from funasr_beam.model.training.progress import say
from funasr_beam.model.training.tokenizer import build_tokenizer
from funasr_beam.model.training.trainer import ProcessGroup, Stage, run_stage, stage_done

STATISTICS_FRAMES = 20_000
DIGIT_WORDS = (*english.ONES, *mandarin.DIGITS)


def train(config: TrainingConfig, space: Workspace, processes: int) -> None:
    """Train every stage that is not done yet, each by so many processes of one thread."""
    prepare(space, processes)
    for name in STAGES:
        if stage_done(space.state(name)):
            say(f"{name:9s} done")
            continue
        with tempfile.TemporaryDirectory() as folder:
            meeting = Path(folder) / "meeting"
            arguments = (processes, meeting, config, space, name)
            spawn(train_stage, args=arguments, nprocs=processes)  # type: ignore[no-untyped-call]


def prepare(space: Workspace, threads: int) -> None:
    """Features and tokenizer of the corpus, unless they are there."""
    begun_s = time.monotonic()
    utterances = read_manifests(space.corpus)
    hours = sum(utterance.duration_s for utterance in utterances) / 3600
    say(f"corpus    {len(utterances)} utterances, {hours:.1f} h")
    build_features(utterances, space.features, threads)
    if not space.tokenizer.exists():
        words = {word for utterance in utterances for word in split_words(utterance.text)}
        build_tokenizer(words).save_pretrained(space.tokenizer)
    say(f"features  ready after {(time.monotonic() - begun_s) / 60:.1f} min")


def train_stage(rank: int, size: int, meeting: Path, config: TrainingConfig, space: Workspace, name: StageName) -> None:
    """One of the processes that train a stage."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    processes = ProcessGroup(rank, size)
    processes.join(meeting)
    parts = make_parts(config, space)
    stage = make_stage(name, config, parts, space)
    run_stage(stage, config.schedule(name), space.state(name), say if rank == 0 else _quiet, processes)
    processes.leave()


def make_stage(name: StageName, config: TrainingConfig, parts: Parts, space: Workspace) -> Stage:
    """A stage, with what the stages before it have learned."""
    schedule = config.schedule(name)
    if name == "encoder":
        normalise_inputs(parts.model, np.asarray(parts.data.store.data[:STATISTICS_FRAMES], dtype=np.float32))
        return EncoderStage(parts, schedule, config.seed)
    if name == "language":
        return LanguageStage(parts, schedule, _digits(parts.tokenizer), config.seed)
    _load_first_stages(parts, space)
    if name == "listen":
        adaptor = _under(_modules(space.state("adaptor")), "adaptor.")
        parts.model.model.multi_modal_projector.load_state_dict(adaptor)
    return ListenStage(parts, schedule, config.seed, adaptor_only=name == "adaptor")


def load_trained(parts: Parts, space: Workspace) -> int:
    """Put the last saved state of the listen stage into the parts; its step."""
    modules = _modules(space.state("listen"))
    parts.model.model.audio_tower.load_state_dict(_under(modules, "tower."))
    parts.model.model.multi_modal_projector.load_state_dict(_under(modules, "adaptor."))
    parts.head.load_state_dict(_under(modules, "head."))
    parts.listener.load_state_dict(_under(modules, "listener."))
    parts.model.tie_weights()
    return int(torch.load(space.state("listen"), weights_only=True)["step"])


def _load_first_stages(parts: Parts, space: Workspace) -> None:
    encoder, language = (_modules(space.state(name)) for name in ("encoder", "language"))
    parts.model.model.audio_tower.load_state_dict(_under(encoder, "tower."))
    parts.head.load_state_dict(_under(encoder, "head."))
    parts.listener.load_state_dict(_under(language, "listener."))
    parts.model.tie_weights()


def _digits(tokenizer: PreTrainedTokenizerFast) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The tokens of spoken digits that are one token each."""
    known = [tokenizer.encode(word, add_special_tokens=False) for word in DIGIT_WORDS]
    return np.array([tokens[0] for tokens in known if len(tokens) == 1], dtype=np.int64)


def _modules(state: Path) -> dict[str, Any]:
    modules: dict[str, Any] = torch.load(state, weights_only=True)["modules"]
    return modules


def _under(tensors: dict[str, Any], prefix: str) -> dict[str, Any]:
    return {name[len(prefix) :]: value for name, value in tensors.items() if name.startswith(prefix)}


def _quiet(line: str) -> None:
    """Say nothing."""
