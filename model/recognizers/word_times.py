"""Times of the words of a text, from the checkpoint's own CTC head over the encoder output that the text came from."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from funasr_beam.model.ctc_head import CONFIG_NAME, WEIGHTS_NAME, CtcHead, CtcHeadError, load_ctc_head
from funasr_beam.model.errors import RunError
from funasr_beam.model.records import Seconds, Word


class WordTimer:
    """Aligns texts with the head's log-probabilities.

    A word's confidence is the acoustic score of its alignment, not the LLM's token probability: the LLM is most certain
    of what it makes up, and the tokens with their log-probabilities stand in the hypothesis anyway.
    """

    def __init__(self, head: CtcHead, tokenizer: Any) -> None:
        self._head = head
        self._tokenizer = tokenizer

    @classmethod
    def load(cls, folder: Path, tokenizer: Any, device: torch.device) -> "WordTimer | None":
        """The timer of a checkpoint; None where it has no trained head over its own tokens: no time is ever invented.

        Raises:
            RunError: there is a head, and it is damaged or untrained.
        """
        try:
            head = load_ctc_head(folder, str(device))
        except CtcHeadError as error:
            raise RunError(
                f"{error}; without {WEIGHTS_NAME} and {CONFIG_NAME} the texts come without word times"
            ) from error
        usable = head is not None and head.config.tokenizer == "own"
        return cls(head, tokenizer) if head is not None and usable else None

    def time_words(
        self, encoded: Sequence[torch.Tensor], texts: Sequence[str], durations_s: Sequence[Seconds]
    ) -> list[tuple[Word, ...] | None]:
        """Times relative to each utterance; None where its text cannot be aligned with its sound.

        Args:
            encoded: per utterance the encoder's output, (frames, hidden), without padding.
            texts: what was recognised, verbatim.
            durations_s: lengths of the utterances; no word ends later.
        """
        if not encoded:
            return []
        hidden = torch.nn.utils.rnn.pad_sequence(list(encoded), batch_first=True)
        frames = torch.tensor([len(item) for item in encoded], device=hidden.device)
        mask = torch.arange(hidden.shape[1], device=hidden.device)[None, :] < frames[:, None]
        log_probs = self._head(hidden, mask).float().cpu()
        rows = [scores[: len(item)] for scores, item in zip(log_probs, encoded, strict=True)]
        return [self._time(row, text, end) for row, text, end in zip(rows, texts, durations_s, strict=True)]

    def _time(self, log_probs: torch.Tensor, text: str, duration_s: Seconds) -> tuple[Word, ...] | None:
        """Align one text; log_probs (frames, tokens + 1)."""
        from funasr_beam.model.alignment import align_words, split_words

        words = split_words(text)
        tokens = self._tokens_of(text, words)
        if not words or not all(tokens):
            return None
        config = self._head.config
        times = align_words(log_probs, tokens, config.blank_id, config.frame_s, config.offset_s, duration_s)
        if times is None:
            return None
        return tuple(
            Word(word, time.start_s, time.end_s, time.confidence) for word, time in zip(words, times, strict=True)
        )

    def _tokens_of(self, text: str, words: Sequence[str]) -> list[list[int]]:
        """The token ids of each word, cut out of the whole text's tokens: the head was trained on whole texts."""
        encoding = self._tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        tokens: list[list[int]] = []
        end = 0
        for word in words:
            start = text.index(word, end)
            end = start + len(word)
            spans = zip(encoding["input_ids"], encoding["offset_mapping"], strict=True)
            tokens.append([token for token, (first, last) in spans if first < end and last > start])
        return tokens
