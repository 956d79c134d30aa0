"""Which aligner times which text, and whether its times can be believed."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from funasr_beam.model.aligners.base import Aligner, Alignment, AlignTask, Source, Untimed, score_of
from funasr_beam.model.batching import BatchLimits, run_in_batches
from funasr_beam.model.errors import RunError
from funasr_beam.model.records import Failure, Hypothesis

AlignerChoice = Literal["auto", "ctc", "qwen3", "wav2vec2", "none"]
LIMITS = BatchLimits(max_padded_s=120.0)
"""Of what is aligned at once: 3 GB; the whole units that recognisers divide by themselves would take 40 GB."""
SECOND_BYTES = 23_000_000
"""What a wav2vec2 takes for a second of sound, padding counted (measured with the sizes of large ones in float32)."""
_SHARE = 0.1  # of the memory that is free on a GPU
OTHERS = "*"
"""Stands for all languages without a model of their own, among the wav2vec2 models."""

MIN_SCORES: Mapping[Source, float] = {"ctc": 0.4, "wav2vec2": 0.4, "qwen3": 0.2}
"""Below it, a text has no word times.

Measured on synthetic speech (benchmarks/results/alignment.json): the CTC head gives 99 % of the texts that were said
0.86 or more, texts with a quarter of the words wrong about 0.7, other texts about 0.1; 0.4 keeps all of the first and
refuses 97.5 % of the last. A tiny model of letters keeps 92 % and refuses 82 % with the same limit. Published weights
of the other two could not be tried: their limits are guesses.
"""


@dataclass(frozen=True)
class AlignmentSettings:
    """Which aligners there are and when they are used."""

    aligner: AlignerChoice = "auto"
    qwen3: str | None = None  # hub id or folder; None: there is none
    wav2vec2: tuple[tuple[str, str], ...] = ()  # (language code or "*", hub id or folder)
    min_score: float | None = None  # None: what suits each aligner
    device: str = "auto"

    def candidates(self, language: str | None) -> list[tuple[Source, str]]:
        """The models that may time a text of this language, the best first; none are loaded by asking."""
        from funasr_beam.model.aligners.support import QWEN3_LANGUAGES

        models = dict(self.wav2vec2)
        named: list[tuple[Source, str | None]] = [
            ("qwen3", self.qwen3 if language is None or language in QWEN3_LANGUAGES else None),
            ("wav2vec2", models.get(language or OTHERS) or models.get(OTHERS)),
        ]
        return [(source, model) for source, model in named if model and self.aligner in ("auto", source)]

    def models(self) -> list[tuple[Source, str]]:
        """Every model that may be used, in a fixed order."""
        languages = [None, *(code for code, _ in self.wav2vec2)]
        found = {model for language in languages for model in self.candidates(language)}
        return sorted(found)


@dataclass
class WordAligner:
    """Times the words of hypotheses; loads an aligner when it is first needed, once for the process."""

    settings: AlignmentSettings
    limits: BatchLimits = LIMITS
    _loaded: dict[tuple[Source, str, str], Aligner] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def align(self, tasks: Sequence[AlignTask], hypotheses: Sequence[Hypothesis]) -> list[Hypothesis]:
        """The same hypotheses with the words of the aligner that suits each, or without words.

        The recogniser's own CTC times stay where they are wanted and good enough; what has none, or none that can be
        believed, goes to the aligners that know the language, one after the other until one gives such times. The last
        score stays in either case. A text on which an aligner fails even on its own, on the CPU too if memory was the
        reason, or which is too long for it, says so in `untimed` where no other one times it.

        Raises:
            funasr_beam.model.errors.RunError: an aligner cannot be loaded.
        """
        settled = [self._judge_own(hypothesis) for hypothesis in hypotheses]
        candidates = [self.settings.candidates(task.language) for task in tasks]
        for rank in range(max(map(len, candidates), default=0)):
            waiting: dict[tuple[Source, str], list[int]] = {}
            for place, own in enumerate(candidates):
                if rank < len(own) and settled[place].words is None and settled[place].text:
                    waiting.setdefault(own[rank], []).append(place)
            for model, places in waiting.items():
                alignments = self._align_with(model, [tasks[place] for place in places])
                for place, alignment in zip(places, alignments, strict=True):
                    settled[place] = self._settle(settled[place], model[0], alignment)
        return settled

    def load_all(self) -> None:
        """Load every aligner that is named, so that a wrong name is told before work begins.

        Raises:
            funasr_beam.model.errors.RunError: one cannot be loaded.
        """
        for model in self.settings.models():
            self._load(*model, self.settings.device)

    def fit_into(self, free_bytes: int) -> int:
        """Align less at once where memory is short; the bytes that this takes beside the weights."""
        fitting_s = _SHARE * free_bytes / SECOND_BYTES
        self.limits = replace(self.limits, max_padded_s=min(self.limits.max_padded_s, fitting_s))
        return round(self.limits.max_padded_s * SECOND_BYTES)

    def _judge_own(self, hypothesis: Hypothesis) -> Hypothesis:
        """What the recogniser's own head timed, kept only where it is wanted and can be believed."""
        if hypothesis.words is None:
            return hypothesis
        if self.settings.aligner not in ("auto", "ctc"):
            return replace(hypothesis, words=None, timestamp_source="none")
        return self._settle(hypothesis, "ctc", Alignment(hypothesis.words, score_of(hypothesis.words)))

    def _settle(self, hypothesis: Hypothesis, source: Source, alignment: Alignment | Untimed | None) -> Hypothesis:
        """A hypothesis with these times, or without any where they cannot be believed."""
        if alignment is None:
            return hypothesis
        if isinstance(alignment, Untimed):
            return replace(hypothesis, untimed=alignment.value)
        least = MIN_SCORES[source] if self.settings.min_score is None else self.settings.min_score
        if alignment.score < least:
            return replace(hypothesis, words=None, timestamp_source="none", alignment_score=alignment.score)
        return replace(
            hypothesis,
            words=alignment.words,
            timestamp_source=source,
            alignment_score=alignment.score,
            untimed=None,
        )

    def _load(self, source: Source, model: str, device: str) -> Aligner:
        from funasr_beam.model.aligners.loading import load_aligner

        key = source, model, device
        with self._lock:
            if key not in self._loaded:
                self._loaded[key] = load_aligner(*key)
            return self._loaded[key]

    def _align_with(self, model: tuple[Source, str], tasks: Sequence[AlignTask]) -> list[Alignment | Untimed | None]:
        """Alignments in order; what does not fit on a GPU is aligned on the CPU, by a copy that stays loaded there."""
        aligner = self._load(*model, self.settings.device)
        alignments = self._align_batches(aligner, tasks)
        too_large = [place for place, alignment in enumerate(alignments) if alignment is Untimed.MEMORY]
        if not too_large or not aligner.on_gpu:
            return alignments
        try:
            slow = self._load(*model, "cpu")
        except (RunError, MemoryError):  # its files are sound: there is no room for a second copy
            return alignments
        for place in too_large:
            (alignments[place],) = self._align_batches(slow, [tasks[place]])
        return alignments

    def _align_batches(self, aligner: Aligner, tasks: Sequence[AlignTask]) -> list[Alignment | Untimed | None]:
        """Alignments in order, made in batches of similar length."""
        fitting = [task for task in tasks if task.duration_s <= aligner.longest_s]
        found = iter(
            run_in_batches(
                lambda places: aligner.align([fitting[place] for place in places]),
                [task.duration_s for task in fitting],
                self.limits,
            )
        )
        outcomes = (Untimed.of(outcome) if isinstance(outcome, Failure) else outcome for outcome in found)
        return [next(outcomes) if task.duration_s <= aligner.longest_s else Untimed.TOO_LONG for task in tasks]
