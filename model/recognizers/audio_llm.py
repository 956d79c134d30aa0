"""Recognition with an audio encoder in front of a language model, as Qwen3-ASR and GLM-ASR have it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from funasr_beam.model.batching import FEW_BATCHES_S, BatchLimits, make_parts
from funasr_beam.model.checkpoint import CheckpointInfo, CheckpointRef
from funasr_beam.model.recognizers.base import RecognizerSettings, Utterance
from funasr_beam.model.recognizers.decoding.decoder import load_decoder
from funasr_beam.model.recognizers.greedy import Decoded
from funasr_beam.model.recognizers.loading import load_complete, load_processor, lower_llm_precision
from funasr_beam.model.recognizers.local_model import LocalRecognizer, check_language, check_samples
from funasr_beam.model.recognizers.memory import plan_for
from funasr_beam.model.recognizers.precision import llm_dtype
from funasr_beam.model.records import SAMPLE_RATE, Hypothesis, RecognitionOptions, Token, as_waveform
from funasr_beam.model.stage_clock import ENCODER, FEATURES

_ROW_S = 30.0
"""What a row of a full batch has: segments are mostly shorter."""
_FEATURES_PER_S = 100


@dataclass(frozen=True)
class Answer:
    """What a family makes of the tokens that its language model wrote."""

    token_ids: tuple[int, ...]  # those of the text alone
    language: str | None = None  # code, where the model named one


@dataclass(frozen=True)
class AudioLlm:
    """What one family adds to the common way."""

    model_class: Any  # of transformers
    processor_class: Any
    request: Callable[[Any, RecognitionOptions], str]  # (processor, options) -> prompt with one place for the audio
    read: Callable[[Any, tuple[int, ...]], Answer]  # (processor, token ids) -> what of it is the text


class AudioLlmRecognizer(LocalRecognizer):
    """Recognises utterances with one loaded checkpoint; calls from several threads take turns.

    Features are extracted one utterance at a time and padded with zeros afterwards: the processors pad the waveform
    instead, and the last frames of a short utterance would then depend on its batch mates.
    """

    def __init__(self, ref: CheckpointRef, settings: RecognizerSettings, family: AudioLlm) -> None:
        """Load the checkpoint: float32; the language model as the settings say, on a GPU in bfloat16 by itself.

        Raises:
            funasr_beam.model.errors.RunError: it cannot be loaded, or the device is not there.
        """
        super().__init__(ref, settings)
        self._family = family
        self._processor = load_processor(self._folder, family.processor_class)
        is_lowered = llm_dtype(settings.llm_precision, self._device) == torch.bfloat16
        model = load_complete(family.model_class, self._folder, lower_llm_precision if is_lowered else None)
        self._model = model.to(self._device)
        self._end_ids = _end_ids(self._model)
        memory = plan_for(self._model, self._device, settings.reserve_bytes)
        rows, part_s = memory.engine.max_rows, settings.encoder_padded_s or memory.encoder_padded_s
        self._limits = BatchLimits(rows * _ROW_S, rows, FEW_BATCHES_S, part_s)
        self._decode = load_decoder(self._model, self._end_ids, memory.engine, settings.clock)

    @property
    def batch_limits(self) -> BatchLimits:
        """As many rows as are written at once; they are encoded in parts of similar length."""
        return self._limits

    def recognize(self, utterances: Sequence[Utterance]) -> list[Hypothesis]:
        """One hypothesis per utterance, in order, each as if it had been alone; without word times.

        Raises:
            RecordingError: an utterance is too short or too long, or its language is none of this checkpoint's.
            RuntimeError: the model failed, out of memory included; a smaller batch may work.
        """
        if not utterances:
            return []
        for utterance in utterances:
            check_utterance(utterance, self._info)
        with torch.inference_mode():
            with self._settings.clock.measure(FEATURES):
                inputs = [self._prepare(utterance) for utterance in utterances]
            # By their features: processors fill them up, to whole seconds or to a window.
            lengths_s = [item["input_features"].shape[-1] / _FEATURES_PER_S for item in inputs]
            batches = make_parts(lengths_s, self._limits)
            with self._turn, self._decode.giving_memory_back():
                with self._settings.clock.measure(ENCODER):
                    prompts = self._embed_parts(inputs, batches)
                budgets = [self._budget(utterance) for utterance in utterances]
                decoded = self._decode(prompts, budgets)
            return [self._hypothesis(item) for item in decoded]

    def _prepare(self, utterance: Utterance) -> Any:
        """`input_ids` (1, positions), `input_features` (1, bins, frames) and its mask (1, frames) of one utterance."""
        prompt = self._family.request(self._processor, utterance.options)
        return self._processor(
            text=[prompt], audio=[as_waveform(utterance.samples)], sampling_rate=SAMPLE_RATE, return_tensors="pt"
        )

    def _embed_parts(self, inputs: Sequence[Any], parts: Sequence[Sequence[int]]) -> list[torch.Tensor]:
        """Each prompt as `_embed` gives it, encoded part by part."""
        found: dict[int, torch.Tensor] = {}
        for places in parts:
            found.update(zip(places, self._embed([inputs[place] for place in places]), strict=True))
        return [found[place] for place in range(len(inputs))]

    def _embed(self, inputs: Sequence[Any]) -> list[torch.Tensor]:
        """Each prompt as embeddings, with the encoded audio in its place; (positions, LLM hidden)."""
        features = stack([item["input_features"] for item in inputs]).to(self._device)
        mask = stack([item["input_features_mask"] for item in inputs]).to(self._device)
        encoded = self._model.get_audio_features(features, mask, return_dict=True).pooler_output
        rows = encoded.to(self._model.lm_head.weight.dtype)
        places = [item["input_ids"][0] == self._processor.audio_token_id for item in inputs]
        audio = rows.split([int(place.sum()) for place in places])
        return [self._splice(*parts) for parts in zip(inputs, places, audio, strict=True)]

    def _splice(self, inputs: Any, place: torch.Tensor, audio: torch.Tensor) -> torch.Tensor:
        text: torch.Tensor = self._model.get_input_embeddings()(inputs["input_ids"][0].to(self._device))
        embedded = text.clone()
        embedded[place.to(self._device)] = audio
        return embedded

    def _hypothesis(self, decoded: Decoded) -> Hypothesis:
        tokenizer = self._processor.tokenizer
        answer = self._family.read(self._processor, decoded.token_ids)
        text = " ".join(tokenizer.decode(list(answer.token_ids), skip_special_tokens=True).split())
        scores = decoded.logprobs[len(decoded.logprobs) - len(answer.token_ids) :]
        tokens = (Token(tokenizer.decode([i]), score) for i, score in zip(answer.token_ids, scores, strict=True))
        return Hypothesis(text, tuple(tokens), decoded.finish_reason, language=answer.language)


def check_utterance(utterance: Utterance, info: CheckpointInfo) -> None:
    """Refuse what a model cannot take, before anything is computed for its neighbours.

    Raises:
        RecordingError: too short, too long, or of a language that the checkpoint does not know.
        ValueError: the samples are no (frames,) int16 array.
    """
    limit = f"{info.model_id} takes {info.longest_segment_s:g} s"
    check_samples(utterance.samples, info.longest_segment_s, limit)
    check_language(utterance, info)


def hint_text(options: RecognitionOptions, tokenizer: Any) -> str | None:
    """Context and hotwords as one text without anything that the tokenizer takes for a control token."""
    text = "\n".join(part for part in (options.context or "", ", ".join(options.hotwords)) if part.strip())
    for token in tokenizer.get_added_vocab():
        text = text.replace(token, " ")
    return text.strip() or None


def stack(parts: Sequence[torch.Tensor]) -> torch.Tensor:
    """Tensors of shape (1, ..., frames) as one batch, zeros behind the shorter ones."""
    longest = max(part.shape[-1] for part in parts)
    return torch.cat([torch.nn.functional.pad(part, (0, longest - part.shape[-1])) for part in parts])


def _end_ids(model: Any) -> frozenset[int]:
    """The tokens that end a text, as the checkpoint declares them."""
    declared = model.generation_config.eos_token_id
    if declared is None:
        declared = model.config.text_config.eos_token_id
    return frozenset([declared] if isinstance(declared, int) else declared)
