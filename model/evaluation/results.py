"""The evaluation of many recordings: rates with their intervals, errors of times, and the worst recordings."""

import heapq
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import groupby
from typing import Any

import numpy as np

from funasr_beam.model.evaluation.bootstrap import bootstrap_interval
from funasr_beam.model.evaluation.errors import UNITS, Difference, ErrorCounts, TextErrors, differences, mixed_tokens
from funasr_beam.model.evaluation.recordings import Pair, RecordingScore
from funasr_beam.model.metrics.histograms import Bins, Histogram
from funasr_beam.model.text import join_texts

_TIME_BINS = Bins(0.001)
_CLOSE_S = (0.05, 0.1, 0.2)


@dataclass(frozen=True)
class EvaluatedRecording:
    """One recording with its errors."""

    recording_id: str
    uri: str
    status: str
    language: str | None
    score: RecordingScore


@dataclass
class TimeErrors:
    """Distribution of one kind of time error; memory does not depend on the number of words."""

    sizes: Histogram = field(default_factory=lambda: Histogram(_TIME_BINS))
    signed: Histogram = field(default_factory=lambda: Histogram(_TIME_BINS))
    close: Counter[float] = field(default_factory=Counter)

    def add(self, errors_s: list[float]) -> None:
        """Count errors, signed, in seconds."""
        values = np.array(errors_s, np.float64)
        self.sizes.add(np.abs(values))
        self.signed.add(values)
        for limit in _CLOSE_S:
            self.close[limit] += int(np.count_nonzero(np.abs(values) <= limit + 1e-9))

    def summary(self) -> dict[str, Any]:
        """Median and 95th percentile of the size, mean with its sign, shares within 50, 100 and 200 ms."""
        total = max(self.sizes.total, 1)
        return {
            "median_s": self.sizes.quantile(0.5),
            "p95_s": self.sizes.quantile(0.95),
            "mean_signed_s": self.signed.mean,
            **{f"within_{limit * 1000:.0f}_ms": self.close[limit] / total for limit in _CLOSE_S},
        }


class Evaluation:
    """Grows by one recording at a time; keeps counts of each, and the texts of the worst only."""

    def __init__(self, keep_worst: int) -> None:
        self.total = TextErrors()
        self.by_language: dict[str, TextErrors] = {}
        self.recordings_by_language: Counter[str] = Counter()
        self.normalizers: Counter[str] = Counter()
        self.forms: Counter[str] = Counter()
        self.statuses: Counter[str] = Counter()
        self.empty = 0
        self.starts, self.ends = TimeErrors(), TimeErrors()
        self._keep_worst = keep_worst
        self._worst: list[tuple[tuple[int, float, str], EvaluatedRecording]] = []
        self._errors = {unit: array("q") for unit in UNITS}
        self._lengths = {unit: array("q") for unit in UNITS}

    def add(self, recording: EvaluatedRecording) -> None:
        """Count one recording."""
        score, language = recording.score, recording.language or "unknown"
        self.total += score.errors
        self.by_language[language] = self.by_language.get(language, TextErrors()) + score.errors
        self.recordings_by_language[language] += 1
        self.normalizers[score.normalizer] += 1
        self.forms[score.form] += 1
        self.statuses[recording.status] += 1
        self.empty += not any(pair.hypothesis for pair in score.pairs)
        self.starts.add([error.start_s for error in score.times])
        self.ends.add([error.end_s for error in score.times])
        for unit in UNITS:
            counts = counts_of(score.errors, unit)
            self._errors[unit].append(counts.errors)
            self._lengths[unit].append(counts.length)
        self._keep(recording)

    @property
    def recordings(self) -> int:
        """Recordings that were compared."""
        return self.statuses.total()

    def worst(self) -> list[EvaluatedRecording]:
        """Those with the most errors, most first."""
        return [recording for _, recording in sorted(self._worst, key=lambda held: held[0], reverse=True)]

    def summary(self) -> dict[str, Any]:
        """Everything as plain values."""
        return {
            "recordings": self.recordings,
            "statuses": dict(sorted(self.statuses.items())),
            "empty": self.empty,
            "normalizers": dict(sorted(self.normalizers.items())),
            "forms": dict(sorted(self.forms.items())),
            "errors": {unit: self._unit(unit) for unit in UNITS},
            "languages": {
                language: {"recordings": self.recordings_by_language[language]}
                | {unit: _counts(counts_of(errors, unit)) for unit in UNITS}
                for language, errors in sorted(self.by_language.items())
            },
            "times": {"words": self.starts.sizes.total, "start": self.starts.summary(), "end": self.ends.summary()}
            if self.starts.sizes.total
            else None,
            "worst": [_described(recording) for recording in self.worst()],
        }

    def _keep(self, recording: EvaluatedRecording) -> None:
        counts = recording.score.errors.mixed
        if not counts.errors:
            return
        rank = (counts.errors, counts.rate or 0.0, recording.recording_id)
        if len(self._worst) < self._keep_worst:
            heapq.heappush(self._worst, (rank, recording))
        elif self._worst and rank > self._worst[0][0]:
            heapq.heapreplace(self._worst, (rank, recording))

    def _unit(self, unit: str) -> dict[str, Any]:
        interval = bootstrap_interval(self._errors[unit], self._lengths[unit])
        return {
            **_counts(counts_of(self.total, unit)),
            "interval": [interval.low, interval.high] if interval else None,
        }


def counts_of(errors: TextErrors, unit: str) -> ErrorCounts:
    """The counts of one unit by its name."""
    return {"words": errors.words, "characters": errors.characters, "mixed": errors.mixed}[unit]


def pair_differences(pair: Pair) -> list[Difference]:
    """The aligned differences of two normalised texts."""
    return differences(mixed_tokens(pair.reference), mixed_tokens(pair.hypothesis))


def marked(parts: Sequence[Difference], most: int = 12, context: int = 4) -> Iterator[tuple[str, str]]:
    """Differences as stretches of (kind, text) to be read one after another, long equal stretches cut short.

    Args:
        parts: of one pair.
        most: differences to give.
        context: equal tokens kept beside a difference.

    Yields:
        Kind "equal", "delete" or "insert"; a replacement is a deletion and an insertion.
    """
    runs = [list(run) for _, run in groupby(parts, lambda part: part.operation == "equal")]
    different = sum(run[0].operation != "equal" for run in runs)
    shown = 0
    for place, run in enumerate(runs):
        said = tuple(token for part in run for token in part.reference)
        recognised = tuple(token for part in run for token in part.hypothesis)
        if run[0].operation == "equal":
            yield "equal", _shortened(said, context, before=place > 0, after=place < len(runs) - 1)
            continue
        if shown == most:
            yield "equal", f"(and {different - shown} more)"
            return
        shown += 1
        yield from (part for part in (("delete", join_texts(said)), ("insert", join_texts(recognised))) if part[1])


def _shortened(tokens: tuple[str, ...], context: int, *, before: bool, after: bool) -> str:
    """Equal tokens, of long stretches only what lies beside a difference."""
    if len(tokens) <= context * (before + after) + 1:
        return join_texts(tokens)
    head = join_texts(tokens[:context]) if before else ""
    tail = join_texts(tokens[-context:]) if after else ""
    return " ".join(filter(None, (head, "…", tail)))


def _counts(counts: ErrorCounts) -> dict[str, Any]:
    return {"rate": counts.rate, **asdict(counts)}


def _described(recording: EvaluatedRecording) -> dict[str, Any]:
    return {
        "recording_id": recording.recording_id,
        "uri": recording.uri,
        "status": recording.status,
        "language": recording.language,
        "form": recording.score.form,
        **_counts(recording.score.errors.mixed),
        "texts": [asdict(pair) for pair in recording.score.pairs],
    }
