"""One recording against its reference: by channel where both know channels, with differences and errors of times."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from funasr_beam.model.evaluation.errors import TextErrors, differences, mixed_tokens
from funasr_beam.model.evaluation.normalizers import NORMALIZERS
from funasr_beam.model.evaluation.references import ReferenceTurn, TimedToken
from funasr_beam.model.evaluation.scoring import Transcribed, choose_rules, score_text
from funasr_beam.model.records import Seconds
from funasr_beam.model.text import join_texts


@dataclass(frozen=True)
class HypothesisSegment:
    """One segment of a transcript."""

    channel: int
    start_s: Seconds
    end_s: Seconds
    text: str  # empty where it failed
    text_raw: str
    words: tuple[TimedToken, ...] = ()


@dataclass(frozen=True)
class Rules:
    """How texts are compared; "": as it fits the recording."""

    normalizer: str = ""
    form: str = ""


@dataclass(frozen=True)
class Pair:
    """Normalised texts that were compared with each other."""

    channel: int | None
    reference: str
    hypothesis: str


@dataclass(frozen=True)
class TimeError:
    """How far a correctly recognised word is from its true times."""

    start_s: Seconds
    end_s: Seconds


@dataclass(frozen=True)
class RecordingScore:
    """The errors of one recording."""

    normalizer: str
    form: str
    errors: TextErrors
    pairs: tuple[Pair, ...]
    times: tuple[TimeError, ...] = ()


def score_recording(
    turns: Sequence[ReferenceTurn],
    hypotheses: Sequence[HypothesisSegment],
    channels: int,
    language: str | None,
    rules: Rules,
) -> RecordingScore:
    """Compare all hypotheses of a recording with all references, but for stretches that are not to be scored.

    Args:
        turns: the reference, by time.
        hypotheses: segments, by time; none where the recording failed, so that all is deleted.
        channels: that were transcribed; with more than one, and turns that name theirs, each is compared on its own,
            because two speakers' words interleave differently in time than their segments do.
        language: chooses the normaliser.
        rules: what the user fixed.
    """
    ignored = [turn for turn in turns if turn.is_ignored]
    turns = [turn for turn in turns if not turn.is_ignored]
    hypotheses = [segment for segment in hypotheses if not any(_is_in(turn, segment) for turn in ignored)]
    whole = " ".join(turn.text for turn in turns)
    normalizer, form = choose_rules(whole, language, rules.normalizer, rules.form)
    errors = TextErrors()
    pairs: list[Pair] = []
    times: list[TimeError] = []
    for channel, said, found in _by_channel(turns, hypotheses, channels):
        reference, transcribed = _texts(said, found)
        errors += score_text(reference, transcribed, normalizer, form).errors
        rule = NORMALIZERS[normalizer]
        pairs.append(Pair(channel, rule(reference), rule(transcribed.in_form(form))))
        times += time_errors(said, found, normalizer)
    return RecordingScore(normalizer, form, errors, tuple(pairs), tuple(times))


def time_errors(
    turns: Sequence[ReferenceTurn], hypotheses: Sequence[HypothesisSegment], normalizer: str
) -> Iterator[TimeError]:
    """Errors of start and end of each correctly recognised word that has times on both sides."""
    said = _timed_tokens([word for turn in turns for word in turn.words], normalizer)
    found = _timed_tokens([word for segment in hypotheses for word in segment.words], normalizer)
    if not said or not found:
        return
    left, right = 0, 0
    for part in differences([word.word for word in said], [word.word for word in found]):
        if part.operation == "equal":
            for true, timed in zip(said[left:], found[right : right + len(part.hypothesis)], strict=False):
                yield TimeError(timed.start_s - true.start_s, timed.end_s - true.end_s)
        left += len(part.reference)
        right += len(part.hypothesis)


def _is_in(turn: ReferenceTurn, segment: HypothesisSegment) -> bool:
    """Whether the middle of a segment lies in a turn."""
    if turn.start_s is None or turn.end_s is None or turn.channel not in (None, segment.channel):
        return False
    return turn.start_s <= (segment.start_s + segment.end_s) / 2 < turn.end_s


def _by_channel(
    turns: Sequence[ReferenceTurn], hypotheses: Sequence[HypothesisSegment], channels: int
) -> Iterator[tuple[int | None, Sequence[ReferenceTurn], Sequence[HypothesisSegment]]]:
    if channels < 2 or any(turn.channel is None for turn in turns):
        yield None, turns, hypotheses
        return
    known = {turn.channel for turn in turns} | {segment.channel for segment in hypotheses}
    for channel in sorted(channel for channel in known if channel is not None):
        yield (
            channel,
            [turn for turn in turns if turn.channel == channel],
            [segment for segment in hypotheses if segment.channel == channel],
        )


def _texts(turns: Sequence[ReferenceTurn], hypotheses: Sequence[HypothesisSegment]) -> tuple[str, Transcribed]:
    return join_texts([turn.text for turn in turns if turn.text]), Transcribed(
        join_texts([segment.text for segment in hypotheses if segment.text]),
        join_texts([segment.text_raw for segment in hypotheses if segment.text_raw]),
    )


def _timed_tokens(words: Sequence[TimedToken], normalizer: str) -> list[TimedToken]:
    """Normalised words that are one token each; what became two has no times of its own."""
    tokens = []
    for word in words:
        parts = mixed_tokens(NORMALIZERS[normalizer](word.word))
        if len(parts) == 1:
            tokens.append(TimedToken(parts[0], word.start_s, word.end_s))
    return tokens
