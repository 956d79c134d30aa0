"""Recognise, look at what came out, and recognise again in parts or without hints what cannot be right."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice

from funasr_beam.model.batching import BatchLimits, recognize_all
from funasr_beam.model.borders import settle_border
from funasr_beam.model.errors import Cause
from funasr_beam.model.guards import TONES_UNDER, Evidence, Symptom, examine, tonality
from funasr_beam.model.language_id import SpokenLanguage
from funasr_beam.model.recognizers.base import Recognizer, Utterance
from funasr_beam.model.records import SAMPLE_RATE, Failure, Hypothesis, RecognitionOptions, Seconds, Word
from funasr_beam.model.text import join_texts

ROUNDS = 3
"""Halves, then halves of those that are still bad without hotwords and context, then halves of these."""

_MIN_PART_S = 1.0
_HINT_SYMPTOMS = frozenset({Symptom.HOTWORD_ECHO, Symptom.NON_SPEECH})  # more of the sound cannot help, fewer hints can
_SILENT_SPEECH_S = 1.0  # less speech than this may well be no word


@dataclass(frozen=True, eq=False)
class GuardInput:
    """What the guards go by: an utterance, and what the VAD knows of it."""

    utterance: Utterance
    speech: tuple[tuple[Seconds, Seconds], ...] | None = None  # raw intervals on the utterance's clock
    speech_probability: float | None = None

    @cached_property
    def evidence(self) -> Evidence:
        """What the guards go by; tones are looked for only where the VAD is not sure, as that takes milliseconds."""
        known = Evidence(self.utterance.duration_s, self.speech, self.speech_probability)
        sure = known.speech_probability is not None and known.speech_probability >= TONES_UNDER
        return known if sure else replace(known, tonality=tonality(self.utterance.samples))

    def part(self, start_s: Seconds, end_s: Seconds) -> "GuardInput":
        """A part of it, on a clock of its own."""
        samples = self.utterance.samples[round(start_s * SAMPLE_RATE) : round(end_s * SAMPLE_RATE)]
        inside = [(max(a, start_s) - start_s, min(b, end_s) - start_s) for a, b in self.speech or ()]
        speech = None if self.speech is None else tuple((a, b) for a, b in inside if a < b)
        return replace(self, utterance=replace(self.utterance, samples=samples), speech=speech)

    def halves(self) -> "list[tuple[Seconds, GuardInput]]":
        """Both halves, cut at the quietest place, with their beginnings."""
        middle_s, length_s = _quietest_s(self.utterance), self.utterance.duration_s
        return [(0.0, self.part(0.0, middle_s)), (middle_s, self.part(middle_s, length_s))]

    def without_hints(self) -> "GuardInput":
        """The same without hotwords and context."""
        return replace(self, utterance=replace(self.utterance, options=_plain(self.utterance.options)))


@dataclass(frozen=True)
class Recognized:
    """What came of one utterance, which guards fired, and how often it was recognised."""

    outcome: Hypothesis | Failure
    flags: tuple[str, ...] = ()
    attempts: int = 1
    language: SpokenLanguage = SpokenLanguage()


@dataclass(frozen=True, eq=False)
class _Part:
    """A stretch of an utterance, as it was recognised last."""

    start_s: Seconds
    input: GuardInput
    hypothesis: Hypothesis
    symptoms: tuple[Symptom, ...]

    @property
    def is_bad(self) -> bool:
        """Whether its text cannot stay as it is without a flag."""
        return bool(set(self.symptoms) - {Symptom.NO_TEXT}) or self.lacks_text

    @property
    def lacks_text(self) -> bool:
        """Whether there was plain speech and nothing came of it; a breath or a click is worth no word."""
        evidence = self.input.evidence
        return Symptom.NO_TEXT in self.symptoms and not evidence.is_weak and evidence.speech_s >= _SILENT_SPEECH_S

    def next_try(self, round_number: int) -> "list[tuple[Seconds, GuardInput]]":
        """What to recognise instead, with its start; nothing where nothing is left to try."""
        length_s = self.input.utterance.duration_s
        is_whole = set(self.symptoms) <= _HINT_SYMPTOMS or length_s < 2 * _MIN_PART_S
        source = self.input.without_hints() if is_whole or round_number > 1 else self.input
        if is_whole:
            had_hints = self.input.utterance.options != source.utterance.options
            return [(self.start_s, source)] if had_hints else []
        return [(self.start_s + offset_s, half) for offset_s, half in source.halves()]


def recognize_guarded(
    recognizer: Recognizer, inputs: Sequence[GuardInput], limits: BatchLimits, rounds: int = ROUNDS
) -> list[Recognized]:
    """A hypothesis or a failure for every utterance, in order, with the guards' flags.

    What a guard objects to is recognised again: in halves cut at the quietest place, then in halves of the bad ones
    without hotwords and context, then in halves of these. The better text stays, with `<symptom>_repaired` where
    nothing is wrong with it any more and `<symptom>` where something still is. Which attempts an utterance gets depends
    on itself only, so that its batch mates cannot change its text. With no `rounds` it is flagged only. What does not
    fit into memory even on its own is recognised in parts that do.

    Raises:
        Exception: as `recognize_all`.
    """
    outcomes = recognize_all(recognizer, [item.utterance for item in inputs], limits)
    divided = {
        place: join(fitting)
        for place, outcome in enumerate(outcomes)
        if _lacked_memory(outcome) and (fitting := _fitting_parts(recognizer, inputs[place], limits))
    }
    outcomes = [divided.get(place, outcome) for place, outcome in enumerate(outcomes)]
    first = {
        place: _judge(0.0, inputs[place], outcome)
        for place, outcome in enumerate(outcomes)
        if isinstance(outcome, Hypothesis)
    }
    parts = {place: [part] for place, part in first.items() if part.is_bad}
    attempts = dict.fromkeys(range(len(outcomes)), 1)
    for round_number in range(1, rounds + 1):
        for place in _try_again(recognizer, parts, limits, round_number):
            attempts[place] += 1
    return [
        Recognized(outcome)
        if isinstance(outcome, Failure)
        else _settle(first[place], parts.get(place, []), attempts[place], is_divided=place in divided)
        for place, outcome in enumerate(outcomes)
    ]


def _lacked_memory(outcome: Hypothesis | Failure) -> bool:
    return isinstance(outcome, Failure) and outcome.cause is Cause.OUT_OF_MEMORY


def _fitting_parts(
    recognizer: Recognizer, item: GuardInput, limits: BatchLimits, start_s: Seconds = 0.0
) -> list[_Part]:
    """An utterance in parts that each fit into memory; none if one of them fails all the same."""
    if item.utterance.duration_s < 2 * _MIN_PART_S:
        return []
    parts = []
    for offset_s, half in item.halves():
        (outcome,) = recognize_all(recognizer, [half.utterance], limits)
        found = [] if isinstance(outcome, Failure) else [_judge(start_s + offset_s, half, outcome)]
        if _lacked_memory(outcome):
            found = _fitting_parts(recognizer, half, limits, start_s + offset_s)
        if not found:
            return []
        parts += found
    return parts


def _judge(start_s: Seconds, item: GuardInput, hypothesis: Hypothesis) -> _Part:
    symptoms = examine(hypothesis, item.evidence, item.utterance.options)
    return _Part(start_s, item, hypothesis, symptoms)


def _try_again(
    recognizer: Recognizer, parts: dict[int, list[_Part]], limits: BatchLimits, round_number: int
) -> set[int]:
    """Replace bad parts by what another attempt made of them, all in one go; gives the utterances that were tried."""
    tries = {
        (place, index): tried
        for place, own in parts.items()
        for index, part in enumerate(own)
        if part.is_bad and (tried := part.next_try(round_number))
    }
    wanted = [item.utterance for tried in tries.values() for _, item in tried]
    outcomes = iter(recognize_all(recognizer, wanted, limits))
    replaced: dict[tuple[int, int], list[_Part]] = {}
    for key, tried in tries.items():
        new = [
            _judge(start_s, item, outcome)
            for (start_s, item), outcome in zip(tried, islice(outcomes, len(tried)), strict=True)
            if isinstance(outcome, Hypothesis)
        ]
        if len(new) == len(tried):  # where a part fails, what there was before stays
            replaced[key] = new
    for place, own in parts.items():
        parts[place] = [new for index, part in enumerate(own) for new in replaced.get((place, index), [part])]
    return {place for place, _ in tries}


def _settle(first: _Part, parts: Sequence[_Part], attempts: int, *, is_divided: bool) -> Recognized:
    """The better of the first hypothesis and the joined parts, with what is or was wrong."""
    all_attempts = attempts + is_divided
    if attempts == 1:
        return Recognized(first.hypothesis, tuple(first.symptoms), all_attempts)
    bad_s = sum(part.input.utterance.duration_s for part in parts if part.is_bad)
    if bad_s >= first.input.utterance.duration_s:
        return Recognized(first.hypothesis, tuple(first.symptoms), all_attempts)
    joined = join(parts)
    options = parts[0].input.utterance.options if len(parts) == 1 else first.input.utterance.options
    left = {*examine(joined, first.input.evidence, options)}
    left |= {symptom for part in parts if part.is_bad for symptom in part.symptoms}
    flags = [symptom.value for symptom in Symptom if symptom in left]
    flags += [symptom.repaired for symptom in first.symptoms if symptom not in left]
    return Recognized(joined, tuple(flags), all_attempts)


def join(parts: Sequence[_Part]) -> Hypothesis:
    """The hypotheses of an utterance's parts as one, with times on the utterance's clock.

    Words have times only where those of all parts with a text do.
    """
    hypotheses = [part.hypothesis for part in parts]
    spoken = [part for part in parts if part.hypothesis.text]
    is_timed = bool(spoken) and all(part.hypothesis.words is not None for part in spoken)
    return Hypothesis(
        join_texts(part.hypothesis.text for part in spoken),
        tuple(token for hypothesis in hypotheses for token in hypothesis.tokens),
        "length" if any(hypothesis.finish_reason == "length" for hypothesis in hypotheses) else "stop",
        tuple(word for part in spoken for word in _shifted(part)) if is_timed else None,
        spoken[0].hypothesis.timestamp_source if is_timed else "none",
        spoken[0].hypothesis.language if spoken else None,
    )


def _shifted(part: _Part) -> Iterator[Word]:
    for word in part.hypothesis.words or ():
        yield replace(word, start_s=word.start_s + part.start_s, end_s=word.end_s + part.start_s)


def _quietest_s(utterance: Utterance) -> Seconds:
    """The quietest place in the middle third, at the beginning of a sample."""
    third = len(utterance.samples) // 3
    window = utterance.samples[third : 2 * third]
    quietest_s = settle_border(window[None], third / SAMPLE_RATE, utterance.duration_s / 2)
    return round(quietest_s * SAMPLE_RATE) / SAMPLE_RATE


def _plain(options: RecognitionOptions) -> RecognitionOptions:
    return RecognitionOptions(options.language)
