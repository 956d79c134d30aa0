"""Is a run different from the runs before it? Distances of distributions over recordings, with limits of their own.

Recordings are compared, not segments: those of one recording resemble each other, so that a test over segments would
see news in every night. A distance alarms only where it is large enough to matter (`Limits`), larger than chance gives
with so few recordings, and larger than the earlier runs are from each other.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from funasr_beam.model.metrics.histograms import Bin

NUMBERS = (
    "duration_s",
    "speech_ratio",
    "segments_per_min",
    "confidence",
    "chars_per_s",
    "snr_db",
    "clipping",
    "bandwidth_hz",
    "speech_probability",
    "mixed_error_rate",
)
"""Values of a recording whose distribution is watched."""

SHARES = ("status", "cause", "language", "codec", "flag")
"""Properties of a recording of which the shares are watched."""


@dataclass(frozen=True)
class Limits:
    """From where on a difference matters."""

    distance: float = 0.15  # Kolmogorov-Smirnov: so many of the recordings lie on another side of some value
    share: float = 0.05  # of recordings with some property
    chance: float = 0.01  # of any false alarm in a run where nothing changed
    volume: float = 2.0  # times as many recordings as ever, or that part of the fewest
    usual: float = 1.25  # times the distance of earlier runs from each other
    least_recordings: int = 20  # fewer say nothing


@dataclass(frozen=True)
class RunProfile:
    """What drift looks at in a run; bins and counts, whatever the number of recordings."""

    run_id: str
    recordings: int
    numbers: Mapping[str, Sequence[Bin]] = field(default_factory=dict)
    shares: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Check:
    """One thing that was compared."""

    name: str  # such as `confidence` or `language zh`
    before: float  # median, share or number of recordings
    now: float
    distance: float
    limit: float
    alarm: bool


@dataclass(frozen=True)
class Drift:
    """All comparisons of a run with those before it."""

    run_id: str
    baseline: tuple[str, ...]
    checks: tuple[Check, ...]

    @property
    def alarms(self) -> list[Check]:
        """What is different."""
        return [check for check in self.checks if check.alarm]


def compare_runs(run: RunProfile, earlier: Sequence[RunProfile], limits: Limits = Limits()) -> Drift:
    """Compare a run with earlier ones, pooled; runs with too few recordings are left out.

    Args:
        run: the run in question.
        earlier: runs to compare it with.
        limits: from where on a difference matters.
    """
    known = [each for each in earlier if each.recordings >= limits.least_recordings]
    checks: list[Check] = []
    if known and run.recordings >= limits.least_recordings:
        # A share of the chance for each comparison that is made (Bonferroni).
        chance = limits.chance / (len(NUMBERS) + len(SHARES))
        checks += (check for name in NUMBERS for check in _compare_numbers(name, run, known, chance, limits))
        checks += (check for name in SHARES for check in _compare_shares(name, run, known, chance, limits))
    if known and run.recordings:  # a run that found everything done is no night
        checks.insert(0, _compare_volume(run, known, limits))
    return Drift(run.run_id, tuple(each.run_id for each in known), tuple(checks))


def distance(left: Sequence[Bin], right: Sequence[Bin]) -> float:
    """Kolmogorov-Smirnov distance of two distributions in the same kind of bins, 0 to 1."""
    difference: defaultdict[float, float] = defaultdict(float)
    for bins, sign in ((left, 1), (right, -1)):
        total = sum(each.count for each in bins)
        for each in bins:
            difference[each.low] += sign * each.count / total
    largest = passed = 0.0
    for low in sorted(difference):
        passed += difference[low]
        largest = max(largest, abs(passed))
    return largest


def _compare_numbers(
    name: str, run: RunProfile, earlier: Sequence[RunProfile], chance: float, limits: Limits
) -> Iterator[Check]:
    now, before = run.numbers.get(name, ()), [each.numbers.get(name, ()) for each in earlier]
    pooled = _pool(before)
    n, m = _total(now), _total(pooled)
    if min(n, m) < limits.least_recordings:
        return
    by_chance = math.sqrt(-math.log(chance / 2) / 2) * math.sqrt((n + m) / (n * m))
    usual = _usual([distance(each, _pool(_others(before, place))) for place, each in _enough(before, limits)])
    limit = max(limits.distance, by_chance, limits.usual * usual)
    found = distance(now, pooled)
    yield Check(name, _median(pooled), _median(now), found, limit, found > limit)


def _compare_shares(
    name: str, run: RunProfile, earlier: Sequence[RunProfile], chance: float, limits: Limits
) -> Iterator[Check]:
    """The values of one property; each has its own share of the chance."""
    now, before = run.shares.get(name, {}), [each.shares.get(name, {}) for each in earlier]
    values = sorted({*now, *(value for each in before for value in each)})
    m = sum(each.recordings for each in earlier)
    for value in values:
        x, k = now.get(value, 0), sum(each.get(value, 0) for each in before)
        shares = [each.get(value, 0) / run.recordings for each, run in zip(before, earlier, strict=True)]
        usual = _usual([abs(share - k / m) for share in shares])
        limit = max(limits.share, limits.usual * usual)
        found = abs(x / run.recordings - k / m)
        alarm = found > limit and _chance_of(x, run.recordings, x + k, run.recordings + m) < chance / len(values)
        yield Check(f"{name} {value}", k / m, x / run.recordings, found, limit, alarm)


def _compare_volume(run: RunProfile, earlier: Sequence[RunProfile], limits: Limits) -> Check:
    """Alarms for a night in which half of the recordings are not there."""
    numbers = sorted(each.recordings for each in earlier)
    median = numbers[len(numbers) // 2]
    outside = run.recordings * limits.volume < numbers[0] or run.recordings > limits.volume * numbers[-1]
    factor = max(run.recordings, 1) / max(median, 1)
    return Check("recordings", median, run.recordings, max(factor, 1 / factor), limits.volume, outside)


def _chance_of(x: int, n: int, k: int, total: int) -> float:
    """Chance that n of `total` recordings, drawn blindly, hold at least (or at most) x of the k that have a property.

    Source: Fisher's exact test, twice the smaller tail.
    """
    upward = x * total >= n * k
    step, last = (1, min(n, k)) if upward else (-1, max(0, n + k - total))
    tail = term = math.exp(_log_chance(x, n, k, total))
    while x != last and term > 1e-12 * tail:
        # Ratio of neighbouring terms of the hypergeometric distribution.
        if upward:
            term *= (k - x) * (n - x) / ((x + 1) * (total - k - n + x + 1))
        else:
            term *= x * (total - k - n + x) / ((k - x + 1) * (n - x + 1))
        tail += term
        x += step
    return min(2 * tail, 1.0)


def _log_chance(x: int, n: int, k: int, total: int) -> float:
    return _log_choose(k, x) + _log_choose(total - k, n - x) - _log_choose(total, n)


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def _usual(distances: Sequence[float]) -> float:
    """How far runs are from each other anyway: the second largest distance, so that one odd night does not hide others.

    Fewer than three runs do not tell.
    """
    return sorted(distances)[-2] if len(distances) >= 3 else 0.0


def _enough(before: Sequence[Sequence[Bin]], limits: Limits) -> Iterator[tuple[int, Sequence[Bin]]]:
    for place, bins in enumerate(before):
        if _total(bins) >= limits.least_recordings and len(before) > 1:
            yield place, bins


def _others(runs: Sequence[Sequence[Bin]], place: int) -> list[Sequence[Bin]]:
    return [*runs[:place], *runs[place + 1 :]]


def _pool(runs: Sequence[Sequence[Bin]]) -> list[Bin]:
    counts = Counter[tuple[float, float]]()
    for bins in runs:
        for each in bins:
            counts[each.low, each.high] += each.count
    return [Bin(low, high, count) for (low, high), count in sorted(counts.items())]


def _total(bins: Sequence[Bin]) -> int:
    return sum(each.count for each in bins)


def _median(bins: Sequence[Bin]) -> float:
    wanted, passed = _total(bins) / 2, 0
    for each in sorted(bins, key=lambda found: found.low):
        passed += each.count
        if passed >= wanted:
            return (each.low + each.high) / 2
    return math.nan
