"""When each word of a known text was spoken: CTC forced alignment, or no times at all."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from funasr_beam.model.records import Seconds
from funasr_beam.model.text import word_spans

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class WordTime:
    """When a word was spoken, in seconds of whatever was aligned, and the mean posterior of its frames."""

    start_s: Seconds
    end_s: Seconds
    confidence: float  # 0 to 1


@dataclass(frozen=True)
class TokenSpan:
    """The frames of one token, half-open, and the sum of its posteriors over them."""

    first: int
    last: int
    posterior_sum: float


def split_words(text: str) -> list[str]:
    """The words that get times: whitespace words, single Chinese and Japanese characters, no punctuation.

    `funasr_beam.model.text.word_spans` gives them with their places in the text.
    """
    return [word.text for word in word_spans(text)]


def align_words(
    log_probs: "torch.Tensor",
    words: Sequence[Sequence[int]],
    blank: int,
    frame_s: Seconds,
    offset_s: Seconds,
    duration_s: Seconds,
) -> list[WordTime] | None:
    """The times of the words on the best CTC path, ordered and disjoint; None where the text does not fit the sound.

    A word reaches from the first frame of its first token to the last frame of its last one. A head that was trained
    frame by frame marks whole tokens so; one that was trained with the CTC loss alone marks single frames: see
    `stretch_words`.

    Args:
        log_probs: (frames, tokens) natural logarithms.
        words: the token ids of each word, at least one each.
        blank: id of the blank.
        frame_s: seconds that a frame stands for.
        offset_s: when the first frame begins.
        duration_s: length of the audio; no word ends later.

    Returns:
        One time per word. None if the tokens (with a blank between equal ones) need more frames than there are, if no
        path has a probability, or if a word would lie outside the audio.

    Raises:
        ValueError: a word without tokens, or a token that is the blank or not in `log_probs`.
    """
    if not all(words):
        raise ValueError(f"word {next(i for i, word in enumerate(words) if not word)} has no tokens")
    spans = align_tokens(log_probs, [token for word in words for token in word], blank)
    if spans is None:
        return None
    return _word_times(spans, [len(word) for word in words], frame_s, offset_s, duration_s)


def align_tokens(log_probs: "torch.Tensor", tokens: Sequence[int], blank: int) -> "list[TokenSpan] | None":
    """The frames of every token on the best CTC path; None where the sound has too few, or there is no path.

    Args:
        log_probs: (frames, tokens) natural logarithms.
        tokens: ids, none of them the blank.
        blank: id of the blank.

    Raises:
        ValueError: a token that is the blank or not in `log_probs`.
    """
    _check(tokens, blank, log_probs.shape[-1])
    if not tokens:
        return []
    repeats = sum(left == right for left, right in itertools.pairwise(tokens))
    return None if len(tokens) + repeats > len(log_probs) else _token_spans(log_probs, tokens, blank)


def stretch_words(times: Sequence[WordTime], max_tail_s: Seconds, duration_s: Seconds) -> list[WordTime]:
    """The same words, each ending up to `max_tail_s` later, but not after the next one's start or the audio's end.

    For heads trained with the CTC loss alone: they mark one frame of a token, mostly near its beginning, and say blank
    for the rest of it. The tail is a convention, not a measurement, so it is the caller's to choose.
    """
    limits = [*(time.start_s for time in times[1:]), duration_s]
    return [
        replace(time, end_s=max(time.end_s, min(time.end_s + max_tail_s, limit)))
        for time, limit in zip(times, limits, strict=False)  # without words there is still the end of the audio
    ]


def _check(tokens: Sequence[int], blank: int, num_tokens: int) -> None:
    strange = [token for token in tokens if token == blank or not 0 <= token < num_tokens]
    if strange or not 0 <= blank < num_tokens:
        raise ValueError(f"tokens {strange[:5]} (blank {blank}) do not fit a head of {num_tokens} outputs")


def _token_spans(log_probs: "torch.Tensor", tokens: Sequence[int], blank: int) -> list[TokenSpan] | None:
    """The frames of every token on the best path; None where there is no path."""
    import torch
    from torchaudio.functional import forced_align

    # The aligner needs the columns of these tokens only: a copy of 0.2 MB instead of 300.
    columns, places = torch.unique(torch.tensor([blank, *tokens], device=log_probs.device), return_inverse=True)
    scores = log_probs[:, columns].float().unsqueeze(0)
    if torch.isnan(scores).any():
        return None
    path, frame_scores = forced_align(scores, places[1:].unsqueeze(0), blank=int(places[0]))
    if not torch.isfinite(frame_scores).all():
        return None
    return _collapse(path[0].tolist(), frame_scores[0].exp().tolist(), int(places[0]))


def _collapse(path: Sequence[int], posteriors: Sequence[float], blank: int) -> list[TokenSpan]:
    """Runs of equal tokens on a CTC path, blanks left out."""
    spans: list[TokenSpan] = []
    before = blank
    for frame, (token, posterior) in enumerate(zip(path, posteriors, strict=True)):
        if token != blank and token == before:
            spans[-1] = TokenSpan(spans[-1].first, frame + 1, spans[-1].posterior_sum + posterior)
        elif token != blank:
            spans.append(TokenSpan(frame, frame + 1, posterior))
        before = token
    return spans


def _word_times(
    spans: Sequence[TokenSpan], word_lengths: Sequence[int], frame_s: Seconds, offset_s: Seconds, duration_s: Seconds
) -> list[WordTime] | None:
    """Put the tokens' frames together to words, within the audio."""
    times: list[WordTime] = []
    end = 0
    for length in word_lengths:
        own, end = spans[end : end + length], end + length
        num_frames = sum(span.last - span.first for span in own)
        start_s = max(offset_s + own[0].first * frame_s, 0.0)
        end_s = min(offset_s + own[-1].last * frame_s, duration_s)
        if start_s >= end_s:
            return None
        times.append(WordTime(start_s, end_s, min(sum(span.posterior_sum for span in own) / num_frames, 1.0)))
    return times
