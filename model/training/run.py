"""A whole training run, from manifests to a checkpoint folder; started again, it goes on where it was."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoTokenizer, FunAsrNanoForConditionalGeneration, PreTrainedTokenizerFast

from funasr_beam.model.ctc_head import CtcHead
from funasr_beam.model.training.build import build_ctc_head, build_model, normalise_inputs
from funasr_beam.model.training.config import TrainingConfig
from funasr_beam.model.training.conversation import Prompts
from funasr_beam.model.training.data import Dataset
from funasr_beam.model.training.encoder_stage import EncoderStage
from funasr_beam.model.training.errors import TrainingError
from funasr_beam.model.training.features import FeatureStore, build_features
from funasr_beam.model.training.language_stage import LanguageStage
from funasr_beam.model.training.listen_stage import ListenStage
from funasr_beam.model.training.listener import Listener
from funasr_beam.model.training.manifest import read_manifests
from funasr_beam.model.training.tokenizer import AUDIO_END, build_tokenizer
from funasr_beam.model.training.trainer import run_stage

Report = Callable[[str], None]
STATISTICS_FRAMES = 20_000
DIGIT_WORDS = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "零",
    "一",
    "二",
    "三",
    "四",
    "五",
    "六",
    "七",
    "八",
    "九",
]


@dataclass(frozen=True)
class Workspace:
    """The folders of a run: the corpus it reads, and where it keeps features, tokenizer and the state of its stages."""

    corpus: Path
    work: Path

    @property
    def features(self) -> Path:
        """Where the features are."""
        return self.work / "features"

    @property
    def tokenizer(self) -> Path:
        """Where the tokenizer is."""
        return self.work / "tokenizer"

    def state(self, stage: str) -> Path:
        """The saved state of a stage."""
        return self.work / "stages" / f"{stage}.pt"


@dataclass
class Parts:
    """Everything a stage trains or needs."""

    tokenizer: PreTrainedTokenizerFast
    model: FunAsrNanoForConditionalGeneration
    head: CtcHead
    listener: Listener
    prompts: Prompts
    data: Dataset


def train(config: TrainingConfig, space: Workspace, threads: int, report: Report) -> Parts:
    """Train every stage and hand back the trained parts.

    Encoder and language model do not need each other: with two threads or more they learn at the same time.
    """
    prepare(space, threads, report)
    if threads > 1:
        others = get_context("spawn").Process(target=_language_alone, args=(config, space, threads // 2))
        others.start()
        encoder_stage(config, make_parts(config, space, threads - threads // 2), space, report)
        others.join()
        if others.exitcode != 0:
            raise TrainingError(f"the language stage ended with exit code {others.exitcode}: its message is above")
    else:
        encoder_stage(config, make_parts(config, space, threads), space, report)
        language_stage(config, make_parts(config, space, threads), space, report)
    parts = make_parts(config, space, threads)
    load_first_stages(parts, space)
    adaptor_and_listen(config, parts, space, report)
    return parts


def prepare(space: Workspace, threads: int, report: Report) -> None:
    """Features and tokenizer of the corpus, unless they are there."""
    begun_s = time.monotonic()
    utterances = read_manifests(space.corpus)
    hours = sum(utterance.duration_s for utterance in utterances) / 3600
    report(f"corpus    {len(utterances)} utterances, {hours:.1f} h")
    build_features(utterances, space.features, threads)
    if not space.tokenizer.exists():
        words = {word for utterance in utterances for word, _, _ in utterance.words}
        build_tokenizer(words).save_pretrained(space.tokenizer)
    report(f"features  ready after {(time.monotonic() - begun_s) / 60:.1f} min")


def make_parts(config: TrainingConfig, space: Workspace, threads: int) -> Parts:
    """Untrained parts, seeded, and the data, in a process that is set up for training."""
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)  # subnormal numbers slow a CPU down late in training
    torch.manual_seed(config.seed)
    tokenizer = AutoTokenizer.from_pretrained(space.tokenizer)
    vocabulary = len(tokenizer)
    model = build_model(config.shape, tokenizer, attention="eager")  # guided attention reads the weights; and faster
    head = build_ctc_head(config.shape, vocabulary)
    head.ctc_decoder.config._attn_implementation = "eager"
    data = Dataset(FeatureStore(space.features), tokenizer, head.config.blank_id)
    listener = Listener(model, int(tokenizer.convert_tokens_to_ids(AUDIO_END)))
    for module in (model, head, listener):
        module.train()
    return Parts(tokenizer, model, head, listener, Prompts(tokenizer), data)


def encoder_stage(config: TrainingConfig, parts: Parts, space: Workspace, report: Report) -> None:
    """Train encoder and CTC head."""
    sample = np.asarray(parts.data.store.data[:STATISTICS_FRAMES], dtype=np.float32)
    normalise_inputs(parts.model, sample)
    stage = EncoderStage(parts.model, parts.head, parts.data, config.encoder, config.seed)
    run_stage(stage, config.encoder, space.state("encoder"), report)


def language_stage(config: TrainingConfig, parts: Parts, space: Workspace, report: Report) -> None:
    """Train the language model on simulated audio."""
    encode = parts.tokenizer.encode
    known = [encode(word, add_special_tokens=False) for word in DIGIT_WORDS]
    digits = np.array([tokens[0] for tokens in known if len(tokens) == 1], dtype=np.int64)
    stage = LanguageStage(parts.model, parts.listener, parts.data, parts.prompts, config.language, digits, config.seed)
    run_stage(stage, config.language, space.state("language"), report)


def _language_alone(config: TrainingConfig, space: Workspace, threads: int) -> None:
    language_stage(config, make_parts(config, space, threads), space, lambda line: print(line, flush=True))


def load_first_stages(parts: Parts, space: Workspace) -> None:
    """Put what the encoder and language stages learned into the parts."""
    encoder, language = (_modules(space.state(name)) for name in ("encoder", "language"))
    parts.model.model.audio_tower.load_state_dict(_under(encoder, "tower."))
    parts.head.load_state_dict(_under(encoder, "head."))
    parts.listener.load_state_dict(_under(language, "listener."))
    parts.model.tie_weights()


def adaptor_and_listen(config: TrainingConfig, parts: Parts, space: Workspace, report: Report) -> None:
    """Train the adaptor, then everything together."""
    for name, schedule in (("adaptor", config.adaptor), ("listen", config.listen)):
        stage = ListenStage(
            parts.model,
            parts.head,
            parts.listener,
            parts.data,
            parts.prompts,
            schedule,
            config.seed,
            adaptor_only=name == "adaptor",
        )
        run_stage(stage, schedule, space.state(name), report)


def _modules(state: Path) -> dict[str, Any]:
    modules: dict[str, Any] = torch.load(state, weights_only=True)["modules"]
    return modules


def _under(tensors: dict[str, Any], prefix: str) -> dict[str, Any]:
    return {name[len(prefix) :]: value for name, value in tensors.items() if name.startswith(prefix)}
