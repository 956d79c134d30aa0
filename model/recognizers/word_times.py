"""Times of the words of a text, from the checkpoint's own CTC head over the encoder output that the text came from."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch

from funasr_beam.model.alignment import align_words
from funasr_beam.model.checkpoint_folder import read_json
from funasr_beam.model.ctc_head import CONFIG_NAME, WEIGHTS_NAME, CtcHead, CtcHeadError, load_ctc_head
from funasr_beam.model.errors import RunError
from funasr_beam.model.records import Seconds, Word
from funasr_beam.model.text import WordSpan, word_spans


class FrameScores(Protocol):
    """The log-probabilities of one utterance's frames."""

    def of(self, tokens: Sequence[int]) -> torch.Tensor:
        """Those of some tokens, the blank among them: (frames, tokens) float32 on the CPU."""


@dataclass(frozen=True, eq=False)
class HeadScores:
    """Scores that are computed when it is known of which tokens.

    A head has 60,515 of them for each frame: a gigabyte for a batch of 240 s, of which alignment needs a thousandth.
    """

    head: CtcHead
    decoded: torch.Tensor  # (frames, hidden size), on the head's device

    def of(self, tokens: Sequence[int]) -> torch.Tensor:
        """See `FrameScores`."""
        return self.head.score(self.decoded, torch.tensor(tokens, device=self.decoded.device)).cpu()


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
        """The timer of a checkpoint; None where it has no head: no time is ever invented.

        Args:
            folder: the checkpoint's.
            tokenizer: the LLM's, for heads over its tokens; others name the file of their own.
            device: where the head computes.

        Raises:
            RunError: there is a head, and it is damaged, untrained, or without its tokens.
        """
        try:
            head = load_ctc_head(folder, str(device))
        except CtcHeadError as error:
            raise RunError(
                f"{error}; without {WEIGHTS_NAME} and {CONFIG_NAME} the texts come without word times"
            ) from error
        if head is None:
            return None
        own = head.config.tokenizer == "own"
        return cls(head, tokenizer if own else _load_tokens(folder, head.config.tokenizer))

    def score_frames(self, encoded: Sequence[torch.Tensor]) -> list[FrameScores]:
        """What the head makes of each utterance; the scores themselves wait for a text.

        Args:
            encoded: per utterance the encoder's output without padding, (frames, hidden).
        """
        hidden = torch.nn.utils.rnn.pad_sequence(list(encoded), batch_first=True)
        frames = torch.tensor([len(item) for item in encoded], device=hidden.device)
        mask = (torch.arange(hidden.shape[1], device=hidden.device)[None, :] < frames[:, None]).long()
        decoded = self._head.decode(hidden, mask)
        return [HeadScores(self._head, frames[: len(item)]) for frames, item in zip(decoded, encoded, strict=True)]

    def time_words(self, scores: FrameScores, text: str, duration_s: Seconds) -> tuple[Word, ...] | None:
        """Times of a text's words, relative to its utterance; None where text and sound cannot be aligned.

        Args:
            scores: the utterance's, of `score_frames`.
            text: what was recognised, verbatim.
            duration_s: length of the utterance; no word ends later.
        """
        owned = self._tokens_of(text)
        config = self._head.config
        if not owned or max(max(item.tokens) for item in owned) >= config.vocab_size:
            return None
        needed = sorted({config.blank_id}.union(*(item.tokens for item in owned)))
        column = {token: place for place, token in enumerate(needed)}
        words = [[column[token] for token in item.tokens] for item in owned]
        blank = column[config.blank_id]
        times = align_words(scores.of(needed), words, blank, config.frame_s, config.offset_s, duration_s)
        if times is None:
            return None
        return tuple(
            Word(item.text, time.start_s, time.end_s, time.confidence) for item, time in zip(owned, times, strict=True)
        )

    def _tokens_of(self, text: str) -> list["_TimedWord"]:
        """The words with their tokens, cut out of the whole text's tokens, as the head was trained on whole texts.

        Words that share a token, such as the two characters of 我们, become one: nobody knows where they meet. Empty
        where a word has no token.
        """
        words = word_spans(text)
        encoding = self._tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        owned: list[list[int]] = [[] for _ in words]
        joined = [False for _ in words]  # with the word before
        for token, (first, last) in zip(encoding["input_ids"], encoding["offset_mapping"], strict=True):
            owners = [place for place, word in enumerate(words) if first < word.end and last > word.start]
            for place in owners[1:]:
                joined[place] = True
            if owners:
                owned[owners[0]].append(token)
        timed = list(_join(text, words, owned, joined))
        return timed if all(item.tokens for item in timed) else []


@dataclass(frozen=True)
class _TimedWord:
    """A word, or several that share tokens, and the ids of these."""

    text: str
    tokens: tuple[int, ...]


def _join(
    text: str, words: Sequence[WordSpan], owned: Sequence[Sequence[int]], joined: Sequence[bool]
) -> Iterator[_TimedWord]:
    """The words, each with those after it that share a token with it."""
    first = 0
    for end in range(1, len(words) + 1):
        if end < len(words) and joined[end]:
            continue
        tokens = tuple(token for tokens in owned[first:end] for token in tokens)
        yield _TimedWord(text[words[first].start : words[end - 1].end], tokens)
        first = end


def _load_tokens(folder: Path, name: str) -> Any:
    """The tokenizer of a head's own, a tokenizer.json by another name, in the folder.

    Raises:
        RunError: it is not there, or is no tokenizer.
    """
    from transformers import PreTrainedTokenizerFast

    path = folder / name
    if Path(name).name != name or not path.is_file():
        raise RunError(f"{folder / CONFIG_NAME} names its tokens in {name}, which is not in the folder; convert again")
    if "model" not in read_json(path):
        raise RunError(f"{path} is no tokenizer; convert again")
    return PreTrainedTokenizerFast(tokenizer_file=str(path), clean_up_tokenization_spaces=False)
