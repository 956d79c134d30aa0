"""Fun-ASR-Nano and its relatives, on transformers' native classes."""

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from funasr_beam.model.batching import FEW_BATCHES_S, GPU_BATCH_COST_S, BatchLimits, make_parts
from funasr_beam.model.checkpoint import AudioTokens, CheckpointRef
from funasr_beam.model.errors import Cause, RecordingError, RunError
from funasr_beam.model.prompts import AUDIO_TOKEN, build_prompt
from funasr_beam.model.recognizers.base import RecognizerSettings, Utterance
from funasr_beam.model.recognizers.decoding.decoder import load_decoder
from funasr_beam.model.recognizers.features import FeatureExtractor, Features
from funasr_beam.model.recognizers.greedy import Decoded
from funasr_beam.model.recognizers.loading import load_model, load_processor
from funasr_beam.model.recognizers.local_model import LocalRecognizer, check_language, check_samples
from funasr_beam.model.recognizers.memory import plan_for
from funasr_beam.model.recognizers.memory_needs import HELD_FEATURES
from funasr_beam.model.recognizers.word_times import WordTimer
from funasr_beam.model.records import SAMPLE_RATE, Hypothesis, RecognitionOptions, Token, Word
from funasr_beam.model.stage_clock import ALIGN, ENCODER, FEATURES
from funasr_beam.model.turns import Places

MAX_FRAMES = 2_048
"""Frames of 60 ms for which the encoder has positions (122.9 s)."""
MAX_PROMPT_TOKENS = 4_096
"""Text tokens before and after the audio; each segment pays for them again."""

_LONGEST_S = MAX_FRAMES * 960 / SAMPLE_RATE  # a frame is 960 samples
GPU_CALL = BatchLimits(14_400.0, 4_096, FEW_BATCHES_S, part_cost_s=GPU_BATCH_COST_S)
"""What is asked for at once, apart from what memory allows: whole units."""
CPU_CALL = BatchLimits(960.0, 64, FEW_BATCHES_S)
_SMALL_MODEL_PARAMETERS = 50_000_000
_CONTROL_TOKEN = re.compile(r"<\|[^|<>]*\|>")
_END_TOKENS = ("<|im_end|>", "<|endoftext|>")


@dataclass(frozen=True)
class _ModelOutput:
    """What the model made of a batch; the rest is text and arithmetic on the CPU."""

    decoded: list[Decoded]
    frames: list[torch.Tensor] | None  # per utterance, for the CTC head's scores; None: no head, or nothing to time


class FunAsrNanoRecognizer(LocalRecognizer):
    """Recognises utterances with one loaded checkpoint; calls from several threads take turns."""

    def __init__(self, ref: CheckpointRef, settings: RecognizerSettings) -> None:
        """Load the checkpoint; see `load`."""
        super().__init__(ref, settings)
        folder = self._folder
        self._audio_tokens = settings.audio_tokens or self._info.audio_tokens
        processor = load_processor(folder)
        self._tokenizer = processor.tokenizer
        self._features = FeatureExtractor(processor.feature_extractor, self._info.sample_scale, self._device)
        self._ahead = Places(HELD_FEATURES)
        self._model = load_model(folder, self._device, settings.encoder_precision, settings.llm_precision)
        if self._device.type == "cpu" and self._model.num_parameters() < _SMALL_MODEL_PARAMETERS:
            # For all of the process: beside other busy processes a second thread made the demo model 10 times slower,
            # as its threads wait for each other after each of its many tiny operations.
            torch.set_num_threads(1)
        self._timer = WordTimer.load(folder, self._tokenizer, self._device)
        self._end_ids = frozenset(_token_id(self._tokenizer, token, folder) for token in _END_TOKENS)
        memory = plan_for(self._model, self._device, settings.reserve_bytes)
        call = GPU_CALL if self._on_gpu else CPU_CALL
        self._limits = replace(
            call,
            max_padded_s=min(call.max_padded_s, memory.waiting_s),
            part_padded_s=settings.encoder_padded_s or memory.encoder_padded_s,
        )
        self._decode = load_decoder(self._model, self._end_ids, memory.engine, settings.clock)
        self._audio_id = _token_id(self._tokenizer, AUDIO_TOKEN, folder)
        self._token_text = functools.lru_cache(maxsize=None)(lambda token_id: self._tokenizer.decode([token_id]))
        self._prompt_ids = functools.lru_cache(maxsize=1_024)(self._encode_prompt)

    @classmethod
    def load(cls, ref: CheckpointRef, settings: RecognizerSettings | None = None) -> "FunAsrNanoRecognizer":
        """A recogniser that is ready to work.

        Computes in float32 on a CPU; on a GPU the LLM computes in bfloat16, encoder and adaptor in float32 as upstream
        does; the settings may say otherwise. Never in float16, whatever the weights are stored in: the LLM then writes
        "!!!!".

        Raises:
            RunError: the checkpoint cannot be loaded, or the device is not there.
        """
        return cls(ref, settings or RecognizerSettings())

    @property
    def batch_limits(self) -> BatchLimits:
        """Long lists: they are encoded in parts of similar length, and whoever is done makes room for the next."""
        return self._limits

    @property
    def has_word_times(self) -> bool:
        """Whether the checkpoint has a trained head that can tell when each word was said."""
        return self._timer is not None

    def recognize(self, utterances: Sequence[Utterance]) -> list[Hypothesis]:
        """One hypothesis per utterance, in order, each as if it had been alone.

        Words have times only where the checkpoint has a trained CTC head, the utterance was recognised verbatim (`itn`
        off: "$25" was never said) and the alignment succeeds; the source then says "ctc".

        Raises:
            RecordingError: an utterance is too short, or its language is none of this checkpoint's.
            ValueError: samples are no int16 vector, or longer than any encoder position.
            RuntimeError: the model failed, out of memory included; a smaller batch may work.
        """
        if not utterances:
            return []
        for utterance in utterances:
            # Before anything is computed for its neighbours.
            check_samples(utterance.samples, _LONGEST_S, f"the encoder takes at most {_LONGEST_S:.1f} s")
            check_language(utterance, self._info)
        batches = make_parts([item.duration_s for item in utterances], self._limits)
        with torch.inference_mode():
            # Features before and times after the turn: meanwhile the device works for another thread.
            with self._ahead:
                with self._settings.clock.measure(FEATURES):
                    parts = [(places, self._extract_features([utterances[p] for p in places])) for places in batches]
                with self._turn, self._decode.giving_memory_back():
                    output = self._run_model(utterances, parts)
            return self._hypotheses(utterances, output)

    def _extract_features(self, utterances: Sequence[Utterance]) -> Features:
        """What the encoder takes, of several utterances, on the device."""
        return self._features([utterance.samples for utterance in utterances])

    def _run_model(self, utterances: Sequence[Utterance], parts: list[tuple[list[int], Features]]) -> _ModelOutput:
        """Everything that needs the device: encode part by part (places, their features), decode, score the frames.

        The parts are taken from their list, so that features are gone once they are encoded.
        """
        clock = self._settings.clock
        verbatim = self._timer is not None and not all(utterance.itn for utterance in utterances)
        prompts: dict[int, torch.Tensor] = {}
        frames: dict[int, torch.Tensor] = {}
        while parts:
            places, features = parts.pop(0)
            with clock.measure(ENCODER):
                embeddings, encoded = self._encode_audio(features)
                for place, audio in zip(places, embeddings, strict=True):
                    prompts[place] = self._embed(utterances[place], audio)
            if self._timer and verbatim:
                with clock.measure(ALIGN):  # by parts as well: together they would be padded to the longest of all
                    frames.update(zip(places, self._timer.decode_frames(encoded), strict=True))
        everyone = range(len(utterances))
        decoded = self._decode([prompts[place] for place in everyone], [self._budget(item) for item in utterances])
        return _ModelOutput(decoded, [frames[place] for place in everyone] if frames else None)

    def _encode_audio(self, features: Features) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """Per utterance, unpadded: (audio tokens, LLM hidden) for the LLM, (frames, encoder hidden) for the times."""
        outputs = self._model.get_audio_features(features.values, features.mask, return_dict=True)
        rows = outputs.pooler_output.to(self._model.lm_head.weight.dtype).split(features.frames)
        counts = [count_audio_tokens(count, self._audio_tokens) for count in features.frames]
        embeddings = [row[:count] for row, count in zip(rows, counts, strict=True)]
        return embeddings, [row[:count] for row, count in zip(outputs.last_hidden_state, features.frames, strict=True)]

    def _embed(self, utterance: Utterance, audio: torch.Tensor) -> torch.Tensor:
        """The utterance's prompt as embeddings, with the audio in its place; (positions, LLM hidden)."""
        before, after = self._prompt_ids(utterance.options, utterance.itn)
        text = self._model.get_input_embeddings()(torch.cat([before, after]))
        return torch.cat([text[: len(before)], audio, text[len(before) :]])

    def _encode_prompt(self, options: RecognitionOptions, itn: bool) -> tuple[torch.Tensor, torch.Tensor]:
        """The token ids before and after the audio; both (tokens,)."""
        ids = self._tokenizer(build_prompt(options, itn=itn), add_special_tokens=False)["input_ids"]
        if len(ids) > MAX_PROMPT_TOKENS:
            message = f"hotwords and context take {len(ids):,} tokens of the prompt; at most {MAX_PROMPT_TOKENS:,}"
            raise RecordingError(Cause.BAD_OPTIONS, message)
        if ids.count(self._audio_id) != 1:
            raise RecordingError(Cause.BAD_OPTIONS, "hotwords or context hold the audio's control token")
        place = ids.index(self._audio_id)
        encoded = torch.tensor(ids, device=self._device)
        return encoded[:place], encoded[place + 1 :]

    def _hypotheses(self, utterances: Sequence[Utterance], output: _ModelOutput) -> list[Hypothesis]:
        """Texts with their tokens, and the times of their words where there can be any."""
        texts = [
            clean_text(self._tokenizer.decode(item.token_ids, skip_special_tokens=True)) for item in output.decoded
        ]
        with self._settings.clock.measure(ALIGN):
            words = self._time_words(utterances, texts, output.frames)
        return [
            Hypothesis(text, self._tokens(item), item.finish_reason, timed, "none" if timed is None else "ctc")
            for text, item, timed in zip(texts, output.decoded, words, strict=True)
        ]

    def _time_words(
        self, utterances: Sequence[Utterance], texts: Sequence[str], frames: list[torch.Tensor] | None
    ) -> list[tuple[Word, ...] | None]:
        """Times of the words of verbatim texts; None where there can be none."""
        if self._timer is None or frames is None:
            return [None] * len(texts)
        verbatim = ["" if utterance.itn else text for utterance, text in zip(utterances, texts, strict=True)]
        return self._timer.time_words(frames, verbatim, [utterance.duration_s for utterance in utterances])

    def _tokens(self, decoded: Decoded) -> tuple[Token, ...]:
        """The tokens as text with their log-probabilities."""
        pairs = zip(decoded.token_ids, decoded.logprobs, strict=True)
        return tuple(Token(self._token_text(token_id), logprob) for token_id, logprob in pairs)


def count_audio_tokens(frames: int, audio_tokens: AudioTokens) -> int:
    """How many rows of the adaptor's output the LLM gets: all, or the first eighth ("low"), as the model was trained.

    Source: `fake_token_len` in `data_load_speech` of funasr 1.4.16 (models/fun_asr_nano/model.py).
    """
    if audio_tokens == "all":
        return frames
    halved = 1 + (frames - 1) // 2
    quartered = 1 + (halved - 1) // 2
    return 1 + (quartered - 1) // 2


def clean_text(text: str) -> str:
    """The text as people read it: `/sil` is a space, no control tokens, single spaces."""
    return " ".join(_CONTROL_TOKEN.sub("", text.replace("/sil", " ")).split())


def _token_id(tokenizer: Any, token: str, folder: Path) -> int:
    """The id of a control token.

    Raises:
        RunError: the tokenizer lacks it, so it belongs to another family.
    """
    token_id = tokenizer.get_vocab().get(token)
    if token_id is None:
        raise RunError(f"{folder / 'tokenizer.json'} lacks the token {token}: not a Fun-ASR-Nano tokenizer")
    return int(token_id)
