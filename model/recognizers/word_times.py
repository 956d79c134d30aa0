"""Times of the words of a text, from the checkpoint's own CTC head over the encoder output that the text came from."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from funasr_beam.model.alignment import align_words
from funasr_beam.model.checkpoint_folder import read_json
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
        self._scoring = threading.Lock()

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

    def decode_frames(self, encoded: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """What the scores of each utterance's frames are made of, once there is a text: (frames, hidden).

        A head has 60,515 scores for each frame: a gigabyte for 240 s, of which alignment needs a thousandth.

        Args:
            encoded: per utterance the encoder's output without padding, (frames, hidden).
        """
        hidden = torch.nn.utils.rnn.pad_sequence(list(encoded), batch_first=True)
        frames = torch.tensor([len(item) for item in encoded], device=hidden.device)
        mask = (torch.arange(hidden.shape[1], device=hidden.device)[None, :] < frames[:, None]).long()
        decoded = self._head.decode(hidden, mask)
        return [frames[: len(item)] for frames, item in zip(decoded, encoded, strict=True)]

    def time_words(
        self, decoded: Sequence[torch.Tensor], texts: Sequence[str], durations_s: Sequence[Seconds]
    ) -> list[tuple[Word, ...] | None]:
        """Times of each text's words, relative to its utterance; None where text and sound cannot be aligned.

        Args:
            decoded: the utterances', of `decode_frames`.
            texts: what was recognised, verbatim.
            durations_s: length of each utterance; no word ends later.
        """
        words = [self._known_words(text) for text in texts]
        tokens = [self._columns(own) for own in words]
        scores = self._scores(decoded, tokens)
        return [self._align(*parts) for parts in zip(words, tokens, scores, durations_s, strict=True)]

    def _known_words(self, text: str) -> "list[_TimedWord]":
        """The words with their tokens; empty where the head does not know one of these."""
        words = self._tokens_of(text)
        return words if all(max(word.tokens) < self._head.config.vocab_size for word in words) else []

    def _columns(self, words: "Sequence[_TimedWord]") -> list[int]:
        """The tokens whose scores are needed, the blank among them; none for no words."""
        return sorted({self._head.config.blank_id}.union(*(word.tokens for word in words))) if words else []

    def _scores(self, decoded: Sequence[torch.Tensor], tokens: Sequence[Sequence[int]]) -> list[torch.Tensor]:
        """Those of each utterance's tokens, (frames, tokens) on the CPU.

        In one copy there and one back: each has the host wait until a GPU has done whatever others asked of it. One
        thread at a time, since the GPU's memory is shared out to others meanwhile.
        """
        if not any(tokens):
            return [torch.zeros(0, 0) for _ in tokens]
        ids = torch.tensor([token for own in tokens for token in own], device=decoded[0].device)
        with self._scoring:
            parts = zip(decoded, torch.split(ids, [len(own) for own in tokens]), strict=True)
            found = torch.cat([self._head.score(*part).flatten() for part in parts]).cpu()
        shapes = [(len(frames), len(own)) for frames, own in zip(decoded, tokens, strict=True)]
        flat = torch.split(found, [rows * columns for rows, columns in shapes])
        return [part.view(shape) for part, shape in zip(flat, shapes, strict=True)]

    def _align(
        self, words: "Sequence[_TimedWord]", tokens: Sequence[int], scores: torch.Tensor, duration_s: Seconds
    ) -> tuple[Word, ...] | None:
        """The words with their times; the scores' columns are those of the tokens."""
        if not words:
            return None
        config, column = self._head.config, {token: place for place, token in enumerate(tokens)}
        places = [[column[token] for token in word.tokens] for word in words]
        times = align_words(scores, places, column[config.blank_id], config.frame_s, config.offset_s, duration_s)
        if times is None:
            return None
        return tuple(
            Word(item.text, time.start_s, time.end_s, time.confidence) for item, time in zip(words, times, strict=True)
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
