"""Ways to recognise a list of segments with the same weights: ours, upstream's, transformers' plain `generate`."""

import contextlib
import importlib.util
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import torch

from benchmarks.profiles import TOKENS_PER_S, text_tokens
from benchmarks.random_checkpoints import RandomCheckpoint
from funasr_beam.model.batching import (
    BATCH_COST_S,
    FEW_BATCHES_S,
    BatchLimits,
    make_batches,
    padded_seconds,
    padding_waste,
    recognize_all,
)
from funasr_beam.model.checkpoint import AudioTokens, resolve
from funasr_beam.model.prompts import build_prompt
from funasr_beam.model.recognizers.base import EncoderPrecision, LlmPrecision, RecognizerSettings, Utterance
from funasr_beam.model.recognizers.fun_asr_nano import FunAsrNanoRecognizer
from funasr_beam.model.recognizers.loading import load_processor, lower_llm_precision
from funasr_beam.model.recognizers.precision import llm_dtype
from funasr_beam.model.records import SAMPLE_RATE, Failure, Seconds, as_waveform
from funasr_beam.model.stage_clock import StageClock

OURS, OURS_ALL, TIMED = "ours", "ours, all audio tokens", "ours, word times"
OURS_FP32, OURS_BF16 = "ours, float32 encoder", "ours, bfloat16 encoder"
UPSTREAM, UPSTREAM_SINGLE, GENERATE = "funasr, batches", "funasr, one by one", "transformers generate"
EQUALS = {OURS_FP32: OURS, OURS_BF16: OURS, UPSTREAM: OURS, UPSTREAM_SINGLE: OURS, GENERATE: OURS_ALL}
"""Whose text each must have: the port gives the LLM all audio tokens, upstream the first eighth of them."""
SIDES = (OURS, OURS_FP32, OURS_BF16, UPSTREAM, UPSTREAM_SINGLE, OURS_ALL, GENERATE, TIMED)
_ENCODERS: dict[str, EncoderPrecision] = {OURS_FP32: "float32", OURS_BF16: "bfloat16"}


class Side(Protocol):
    """One way, loaded and ready."""

    clock: StageClock  # knows nothing of ways that are not ours

    def padding(self, lengths: Sequence[Seconds]) -> float:
        """Padding that is computed for a second of audio."""

    def texts(self, utterances: Sequence[Utterance]) -> list[str]:
        """What is heard, in order."""


def missing(side: str) -> str | None:
    """Why a way cannot be taken here; None: it can."""
    if side in (UPSTREAM, UPSTREAM_SINGLE):
        absent = [name for name in ("funasr", "tiktoken") if importlib.util.find_spec(name) is None]
        return f"{', '.join(absent)} not installed" if absent else None
    return None


@dataclass(frozen=True)
class Loading:
    """What all ways are loaded with."""

    checkpoint: RandomCheckpoint
    device: str
    limits: BatchLimits
    llm_precision: LlmPrecision = "auto"

    @property
    def llm_dtype(self) -> str:
        """As upstream calls it."""
        return "bf16" if llm_dtype(self.llm_precision, torch.device(self.device)) == torch.bfloat16 else "fp32"


def load_side(name: str, asked: Loading) -> Side:
    """A way by its name."""
    if name == GENERATE:
        return Generate(asked)
    if name in (UPSTREAM, UPSTREAM_SINGLE):
        alone = replace(asked, limits=replace(asked.limits, max_items=1))
        return FromUpstream(asked if name == UPSTREAM else alone)
    return Ours(asked, "all" if name == OURS_ALL else "low", _ENCODERS.get(name, "auto"))


class Ours:
    """This project's recogniser, called as the pipeline calls it."""

    def __init__(self, asked: Loading, audio_tokens: AudioTokens, encoder_precision: EncoderPrecision) -> None:
        self._device, self._waits = asked.device, False
        self.clock = StageClock(self._synchronize)
        wanted: Literal["cpu", "cuda"] = "cuda" if asked.device == "cuda" else "cpu"
        settings = RecognizerSettings(
            wanted,
            audio_tokens,
            base_tokens=0,
            encoder_precision=encoder_precision,
            llm_precision=asked.llm_precision,
            tokens_per_s=TOKENS_PER_S,
            clock=self.clock,
        )
        self._recognizer = FunAsrNanoRecognizer.load(resolve(str(asked.checkpoint.converted)), settings)

    def texts(self, utterances: Sequence[Utterance]) -> list[str]:
        """What is heard, in order; a failure ends the benchmark."""
        heard = recognize_all(self._recognizer, utterances, self._recognizer.batch_limits)
        for item in heard:
            if isinstance(item, Failure):
                raise SystemExit(f"recognition failed: {item.cause}: {item.message}")
        return [item.text for item in heard if not isinstance(item, Failure)]

    def padding(self, lengths: Sequence[Seconds]) -> float:
        """Padding that is encoded for a second of audio."""
        return padded_seconds(lengths, self._recognizer.batch_limits) / sum(lengths) - 1

    @contextlib.contextmanager
    def waiting_for_the_device(self) -> Iterator[None]:
        """Stages are charged what the device took, which costs speed; otherwise what the host waited for."""
        self._waits = True
        try:
            yield
        finally:
            self._waits = False

    def _synchronize(self) -> None:
        if self._waits and self._device == "cuda":
            torch.cuda.synchronize()


class InBatches:
    """What ways share that are given batches of segments of similar length."""

    def __init__(self, asked: Loading) -> None:
        self.clock = StageClock()
        self._limits, self._device = asked.limits, torch.device(asked.device)
        # A GPU's step takes as long for one row as for many: the others get as few batches as ours does.
        self._batch_cost_s = FEW_BATCHES_S if self._device.type == "cuda" else BATCH_COST_S

    def texts(self, utterances: Sequence[Utterance]) -> list[str]:
        """What is heard, in order; a batch writes as many tokens as its longest segment has."""
        found: dict[int, str] = {}
        for places in self._batches([item.duration_s for item in utterances]):
            batch = [utterances[place] for place in places]
            longest_s = max(item.duration_s for item in batch)
            found.update(zip(places, self._batch_texts(batch, text_tokens(longest_s)), strict=True))
        return [found[place] for place in range(len(utterances))]

    def padding(self, lengths: Sequence[Seconds]) -> float:
        """Padding that is computed for a second of audio."""
        return padding_waste(lengths, self._batches(lengths))

    def _batches(self, lengths: Sequence[Seconds]) -> list[list[int]]:
        return make_batches(lengths, self._limits.max_padded_s, self._limits.max_items, self._batch_cost_s)

    def _batch_texts(self, batch: Sequence[Utterance], tokens: int) -> list[str]:
        raise NotImplementedError


class FromUpstream(InBatches):
    """The package `funasr` with its own batch mode."""

    def __init__(self, asked: Loading) -> None:
        from tests.upstream import Prompt, Upstream

        super().__init__(asked)
        self._prompt = Prompt
        self._upstream = Upstream(asked.checkpoint.original, asked.device, asked.llm_dtype)

    def _batch_texts(self, batch: Sequence[Utterance], tokens: int) -> list[str]:
        self._upstream.forget()
        return self._upstream.texts([(item.samples, self._prompt(item.options, item.itn)) for item in batch], tokens)


class Generate(InBatches):
    """transformers' own classes, as their documentation shows them."""

    def __init__(self, asked: Loading) -> None:
        from transformers import FunAsrNanoForConditionalGeneration
        from transformers.utils import logging

        logging.set_verbosity_error()  # it would warn of texts that never end
        super().__init__(asked)
        self._processor = load_processor(asked.checkpoint.converted)
        kind = FunAsrNanoForConditionalGeneration
        self._model = kind.from_pretrained(asked.checkpoint.converted, dtype=torch.float32, attn_implementation="sdpa")
        if asked.llm_dtype == "bf16":
            lower_llm_precision(self._model)
        self._model.eval().to(self._device)

    @torch.inference_mode()
    def _batch_texts(self, batch: Sequence[Utterance], tokens: int) -> list[str]:
        inputs = self._processor(
            text=[build_prompt(item.options, itn=item.itn) for item in batch],
            audio=[as_waveform(item.samples) * 32_768 for item in batch],  # as upstream's features want them
            sampling_rate=SAMPLE_RATE,
            padding=True,
            return_tensors="pt",
        ).to(self._device)
        written = self._model.generate(**inputs, do_sample=False, max_new_tokens=tokens)
        new = written[:, inputs["input_ids"].shape[1] :]
        texts = self._processor.tokenizer.batch_decode(new, skip_special_tokens=True)
        return [" ".join(text.replace("/sil", " ").split()) for text in texts]
