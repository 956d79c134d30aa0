"""Whisper on transformers' native classes, an utterance in each of its windows of 30 seconds."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import WhisperForConditionalGeneration, WhisperProcessor

from funasr_beam.model.batching import BatchLimits
from funasr_beam.model.checkpoint import CheckpointRef
from funasr_beam.model.errors import RunError
from funasr_beam.model.families import CODES_FOR_WHISPER, WHISPER_CODES
from funasr_beam.model.languages import language_code
from funasr_beam.model.recognizers.audio_llm import check_utterance, hint_text
from funasr_beam.model.recognizers.base import RecognizerSettings, Utterance
from funasr_beam.model.recognizers.greedy import Row
from funasr_beam.model.recognizers.loading import load_complete, load_processor
from funasr_beam.model.recognizers.local_model import LocalRecognizer
from funasr_beam.model.recognizers.memory import plan_for
from funasr_beam.model.recognizers.precision import llm_dtype
from funasr_beam.model.records import SAMPLE_RATE, Hypothesis, RecognitionOptions, Token, as_waveform


@dataclass(kw_only=True)
class _Row(Row):
    """One utterance while its text is written."""

    prompt: list[int]
    language: str | None


class WhisperRecognizer(LocalRecognizer):
    """Recognises utterances with one loaded checkpoint; calls from several threads take turns.

    The model always hears a full window, the rest of it silence, as it was trained: a batch has no padding that could
    change a text. Each row has a budget of its own, and hotwords and context stand before the window as if they had
    been said there.
    """

    def __init__(self, ref: CheckpointRef, settings: RecognizerSettings) -> None:
        """Load the checkpoint, all of it in the number type that the settings give the language model.

        Raises:
            funasr_beam.model.errors.RunError: it cannot be loaded, or the device is not there.
        """
        super().__init__(ref, settings)
        folder = self._folder
        self._processor = load_processor(folder, WhisperProcessor)
        self._dtype = llm_dtype(settings.llm_precision, self._device)
        model = load_complete(WhisperForConditionalGeneration, folder, lambda empty: empty.to(self._dtype))
        self._model = model.to(self._device)
        memory = plan_for(self._model, self._device, settings.reserve_bytes)
        encoded_s = settings.encoder_padded_s or memory.encoder_padded_s
        self._windows = max(1, int(encoded_s / self._info.longest_segment_s))
        self._rows = memory.engine.max_rows
        self._facts = _generation_facts(model, folder)
        self._end_ids = frozenset([int(np.ravel(self._facts.eos_token_id)[0])])
        self._never = _suppression(model, self._facts.suppress_tokens)
        self._not_first = self._never + _suppression(model, self._facts.begin_suppress_tokens)

    @property
    def batch_limits(self) -> BatchLimits:
        """As many rows as find room together, each with its whole window."""
        return BatchLimits(self._rows * self._info.longest_segment_s, self._rows)

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
        waveforms = [as_waveform(utterance.samples) for utterance in utterances]
        features = self._processor.feature_extractor(waveforms, sampling_rate=SAMPLE_RATE, return_tensors="pt")
        with torch.inference_mode(), self._turn:
            encoded = self._encode(features["input_features"])
            rows = self._begin(utterances, encoded)
            self._write(rows, encoded)
        return [self._hypothesis(row) for row in rows]

    def _encode(self, features: torch.Tensor) -> torch.Tensor:
        """Some windows at once; (windows, bins, 3000) on the CPU to (windows, positions, hidden) on the device."""
        parts = (part.to(self._device, self._dtype) for part in torch.split(features, self._windows))
        return torch.cat([self._model.model.encoder(part).last_hidden_state for part in parts])

    def _begin(self, utterances: Sequence[Utterance], encoded: torch.Tensor) -> list[_Row]:
        """A row with its prompt for each utterance; where no language is told, the model names the one it hears."""
        told = [language_code(utterance.options.language) for utterance in utterances]
        named = self._name_languages(encoded) if None in told and self._is_multilingual else [None] * len(told)
        rows = []
        for utterance, code, heard in zip(utterances, told, named, strict=True):
            prompt = self._prompt(utterance.options, code or heard)
            room = self._model.config.max_target_positions - len(prompt)
            budget = min(self._budget(utterance), room)
            rows.append(_Row(budget=budget, prompt=prompt, language=None if code else heard))
        return rows

    @property
    def _is_multilingual(self) -> bool:
        return bool(getattr(self._facts, "lang_to_id", None))

    def _name_languages(self, encoded: torch.Tensor) -> list[str | None]:
        """The code of the most probable language of each window."""
        tokens = {token_id: token.strip("<|>") for token, token_id in self._facts.lang_to_id.items()}
        start = torch.full((len(encoded), 1), self._facts.decoder_start_token_id, device=self._device)
        hidden = self._model.model.decoder(input_ids=start, encoder_hidden_states=encoded).last_hidden_state
        places = torch.tensor(list(tokens), device=self._device)
        best = self._model.proj_out(hidden[:, -1])[:, places].argmax(-1)
        codes = [tokens[int(places[place])] for place in best]
        return [WHISPER_CODES.get(code, code) for code in codes]

    def _prompt(self, options: RecognitionOptions, code: str | None) -> list[int]:
        """Token ids before the text: what was said before, start, language, task, no timestamps."""
        prompt = [*self._hints(options), int(self._facts.decoder_start_token_id)]
        if code is not None and self._is_multilingual:
            prompt.append(self._facts.lang_to_id[f"<|{CODES_FOR_WHISPER.get(code, code)}|>"])
            prompt.append(self._facts.task_to_id["transcribe"])
        return [*prompt, self._facts.no_timestamps_token_id]

    def _hints(self, options: RecognitionOptions) -> list[int]:
        """Hotwords and context as the end of what was said before, at most half of the decoder's positions."""
        tokenizer = self._processor.tokenizer
        text = hint_text(options, tokenizer)
        if text is None:
            return []
        longest = self._model.config.max_target_positions // 2 - 1
        tokens = tokenizer(f" {text}", add_special_tokens=False)["input_ids"]
        return [tokenizer.convert_tokens_to_ids("<|startofprev|>"), *tokens[-longest:]]

    def _write(self, rows: Sequence[_Row], encoded: torch.Tensor) -> None:
        """The most probable token, step by step, until each row has ended by itself or by its budget."""
        ids, mask = _pad_left([row.prompt for row in rows], self._device)
        positions = (mask.cumsum(-1) - 1).clamp(min=0)
        last_position = self._model.config.max_target_positions - 1
        forbidden, cache = self._not_first, None
        while True:
            outputs = self._model.model.decoder(
                input_ids=ids,
                attention_mask=mask,
                position_ids=positions,
                encoder_hidden_states=encoded,
                past_key_values=cache,
                use_cache=True,
            )
            tokens = self._choose(rows, outputs.last_hidden_state[:, -1], forbidden)
            if all(row.finish_reason for row in rows):
                return
            # A row that has ended goes on unread beside the others, where it must not run out of positions.
            ids, positions = tokens[:, None], (positions[:, -1:] + 1).clamp(max=last_position)
            mask = torch.cat([mask, mask.new_ones(len(rows), 1)], dim=1)
            forbidden, cache = self._never, outputs.past_key_values

    def _choose(self, rows: Sequence[_Row], hidden: torch.Tensor, forbidden: torch.Tensor) -> torch.Tensor:
        """Give each row its next token; (rows,) token ids.

        Raises:
            RuntimeError: the model gave a probability that is no number.
        """
        scores = self._model.proj_out(hidden).float()
        tokens: torch.Tensor = (scores + forbidden).argmax(-1)
        logprobs = scores.log_softmax(-1).gather(1, tokens[:, None])[:, 0]
        if not torch.isfinite(logprobs).all():
            raise RuntimeError("the language model gave scores that are no finite numbers")
        for row, token_id, logprob in zip(rows, tokens.tolist(), logprobs.tolist(), strict=True):
            row.add(token_id, logprob, self._end_ids)
        return tokens

    def _hypothesis(self, row: _Row) -> Hypothesis:
        tokenizer = self._processor.tokenizer
        text = " ".join(tokenizer.decode(row.token_ids, skip_special_tokens=True).split())
        pairs = zip(row.token_ids, row.logprobs, strict=True)
        tokens = tuple(Token(tokenizer.decode([token_id]), logprob) for token_id, logprob in pairs)
        return Hypothesis(text, tokens, row.finish_reason or "length", language=row.language)


def _generation_facts(model: Any, folder: Path) -> Any:
    """The checkpoint's generation_config.json, which holds the ids of Whisper's control tokens.

    Raises:
        RunError: it lacks them.
    """
    facts = model.generation_config
    for name in ("decoder_start_token_id", "eos_token_id", "no_timestamps_token_id"):
        if getattr(facts, name, None) is None:
            raise RunError(
                f"{folder / 'generation_config.json'} lacks {name}; take the file of the original checkpoint"
            )
    return facts


def _suppression(model: Any, token_ids: Sequence[int] | None) -> torch.Tensor:
    """What to add to the scores so that these tokens are never chosen; (vocabulary,)."""
    bias = torch.zeros(model.config.vocab_size, device=model.device)
    bias[torch.tensor(list(token_ids or ()), dtype=torch.long, device=model.device)] = -torch.inf
    return bias


def _pad_left(prompts: Sequence[Sequence[int]], device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Prompts of different lengths as one batch that ends together, and its mask; (rows, positions) int64 both."""
    longest = max(map(len, prompts))
    ids = [[0] * (longest - len(prompt)) + list(prompt) for prompt in prompts]
    mask = [[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts]
    return torch.tensor(ids, device=device), torch.tensor(mask, device=device)
