"""What the stages of a training run work on: tokenizer, model, CTC head, listener, prompts and data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import AutoTokenizer, FunAsrNanoForConditionalGeneration, PreTrainedTokenizerFast

from funasr_beam.model.ctc_head import CtcHead
from funasr_beam.model.training.build import build_ctc_head, build_model
from funasr_beam.model.training.config import TrainingConfig
from funasr_beam.model.training.conversation import Prompts
from funasr_beam.model.training.data import Dataset
from funasr_beam.model.training.features import FeatureStore
from funasr_beam.model.training.listener import Listener
from funasr_beam.model.training.tokenizer import AUDIO_END


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


@dataclass(frozen=True)
class Parts:
    """Everything a stage trains or needs."""

    tokenizer: PreTrainedTokenizerFast
    model: FunAsrNanoForConditionalGeneration
    head: CtcHead
    listener: Listener
    prompts: Prompts
    data: Dataset

    @property
    def blank(self) -> int:
        """The id of the CTC blank."""
        return self.head.config.blank_id


def make_parts(config: TrainingConfig, space: Workspace, threads: int = 1) -> Parts:
    """Untrained parts, seeded, and the data, in a process that is set up for training."""
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)  # subnormal numbers slow a CPU down late in training
    torch.manual_seed(config.seed)
    tokenizer = AutoTokenizer.from_pretrained(space.tokenizer)
    model = build_model(config.shape, tokenizer, attention="eager")  # guided attention reads the weights; and faster
    head = build_ctc_head(config.shape, len(tokenizer))
    head.ctc_decoder.config._attn_implementation = "eager"
    data = Dataset(FeatureStore(space.features), tokenizer, head.config.blank_id)
    listener = Listener(model, int(tokenizer.convert_tokens_to_ids(AUDIO_END)))
    for module in (model, head, listener):
        module.train()
    return Parts(tokenizer, model, head, listener, Prompts(tokenizer), data)
