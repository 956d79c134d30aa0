"""Times of the words of a text, from the checkpoint's own CTC head over the encoder output that the text came from."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from funasr_beam.model.alignment import align_words
from funasr_beam.model.ctc_head import CONFIG_NAME, WEIGHTS_NAME, CtcHead, CtcHeadError, load_ctc_head
from funasr_beam.model.errors import RunError
from funasr_beam.model.records import Seconds, Word
from funasr_beam.model.text import WordSpan, word_spans


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

    def score_frames(self, encoded: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """The head's log-probabilities on the CPU, (frames, tokens + 1) float32 per utterance.

        Args:
            encoded: per utterance the encoder's output without padding, (frames, hidden).
        """
        hidden = torch.nn.utils.rnn.pad_sequence(list(encoded), batch_first=True)
        frames = torch.tensor([len(item) for item in encoded], device=hidden.device)
        mask = (torch.arange(hidden.shape[1], device=hidden.device)[None, :] < frames[:, None]).long()
        log_probs = self._head(hidden, mask).float().cpu()
        return [scores[: len(item)] for scores, item in zip(log_probs, encoded, strict=True)]

    def time_words(self, log_probs: torch.Tensor, text: str, duration_s: Seconds) -> tuple[Word, ...] | None:
        """Times of a text's words, relative to its utterance; None where text and sound cannot be aligned.

        Args:
            log_probs: (frames, tokens + 1), of `score_frames`.
            text: what was recognised, verbatim.
            duration_s: length of the utterance; no word ends later.
        """
        words = word_spans(text)
        tokens = self._tokens_of(text, words)
        config = self._head.config
        if not tokens or max(map(max, tokens)) >= config.vocab_size:
            return None
        times = align_words(log_probs, tokens, config.blank_id, config.frame_s, config.offset_s, duration_s)
        if times is None:
            return None
        return tuple(
            Word(word.text, time.start_s, time.end_s, time.confidence) for word, time in zip(words, times, strict=True)
        )

    def _tokens_of(self, text: str, words: Sequence[WordSpan]) -> list[list[int]]:
        """The token ids of each word, cut out of the whole text's tokens, as the head was trained on whole texts.

        Empty where a word has no token of its own: a token that spans two words says nothing about where they meet.
        """
        encoding = self._tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        owned: list[list[int]] = [[] for _ in words]
        for token, (first, last) in zip(encoding["input_ids"], encoding["offset_mapping"], strict=True):
            owners = [place for place, word in enumerate(words) if first < word.end and last > word.start]
            if len(owners) > 1:
                return []
            if owners:
                owned[owners[0]].append(token)
        return owned if all(owned) else []
