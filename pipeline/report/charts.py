"""Geometry of the report's charts; the template draws it as inline SVG."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from funasr_beam.model.metrics.histograms import Bin, Histogram

WIDTH = 360
_LEFT, _RIGHT, _TOP, _FLOOR = 6.0, 354.0, 16.0, 128.0
_BARS = 32


@dataclass(frozen=True)
class Column:
    """One bar of a histogram, in the chart's units."""

    x: float
    y: float
    width: float
    height: float
    title: str


@dataclass(frozen=True)
class Tick:
    """A mark below the axis."""

    x: float
    label: str
    anchor: str


@dataclass(frozen=True)
class HistogramChart:
    """How a value is distributed."""

    title: str
    about: str  # what is counted, in a few words
    summary: str  # the same for those who cannot see it
    columns: tuple[Column, ...]
    ticks: tuple[Tick, ...]
    median_x: float | None
    median: str


@dataclass(frozen=True)
class Bar:
    """One line of a bar chart."""

    label: str
    value: str
    share: float  # of the longest bar, in percent
    kind: str  # chooses the colour
    title: str


@dataclass(frozen=True)
class BarChart:
    """Amounts beside their names."""

    title: str
    about: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True)
class Axis:
    """How the values of a histogram are shown."""

    show: Callable[[float], str]
    low: float | None = None  # None: from the values
    high: float | None = None
    logarithmic: bool = False


def histogram_chart(title: str, about: str, found: Histogram, axis: Axis) -> HistogramChart | None:
    """A histogram as a chart; None where nothing was counted. What lies beyond the axis is in its last bar."""
    if not found.total:
        return None
    scale = _Scale.of(found, axis)
    counts = scale.counts(found.listed())
    highest = max(counts)
    step = (_RIGHT - _LEFT) / len(counts)
    columns = tuple(
        Column(
            round(_LEFT + place * step, 2),
            round(_FLOOR - _height(count, highest), 2),
            round(step * 0.86, 2),
            round(_height(count, highest), 2),
            f"{scale.label(place)}: {count:,}",
        )
        for place, count in enumerate(counts)
        if count
    )
    median = found.quantile(0.5)
    middle = "" if median is None else axis.show(median)
    summary = (
        f"{title}: {found.total:,} values, median {middle}, {axis.show(found.least)} to {axis.show(found.largest)}"
    )
    median_x = None if median is None else round(scale.x(median), 2)
    return HistogramChart(title, about, summary, columns, scale.ticks(), median_x, middle)


def bar_chart(
    title: str, about: str, amounts: Mapping[str, float], show: Callable[[float], str], kinds: Mapping[str, str] = {}
) -> BarChart | None:
    """Amounts as bars, the largest first and the many small ones as one; None where there are none."""
    known = sorted(
        ((name, value) for name, value in amounts.items() if value > 0), key=lambda pair: (-pair[1], pair[0])
    )
    if not known:
        return None
    if len(known) > _MOST_BARS:
        rest = known[_MOST_BARS - 1 :]
        known = [*known[: _MOST_BARS - 1], (f"{len(rest)} more", sum(value for _, value in rest))]
    longest, total = max(value for _, value in known), sum(value for _, value in known)
    bars = tuple(
        Bar(name, show(value), round(100 * value / longest, 2), kinds.get(name, "plain"), f"{value / total:.1%}")
        for name, value in known
    )
    return BarChart(title, about, bars)


@dataclass(frozen=True)
class TrendChart:
    """One measure over the last runs."""

    title: str
    latest: str
    change: str  # against the median of the runs before
    points: str  # of an SVG polyline
    last_x: float
    last_y: float
    summary: str


def trend_chart(title: str, values: Sequence[float | None], show: Callable[[float], str]) -> TrendChart | None:
    """A measure of the runs, oldest first; None unless two runs know it, the newest among them."""
    known = [(place, value) for place, value in enumerate(values) if value is not None]
    if len(known) < _LEAST_RUNS or values[-1] is None:
        return None
    least, largest = min(value for _, value in known), max(value for _, value in known)
    room = (largest - least) or 1.0
    points = [
        (round(4 + 112 * place / (len(values) - 1), 2), round(30 - 24 * (value - least) / room, 2))
        for place, value in known
    ]
    usual = _median([value for _, value in known[:-1]])
    change = (known[-1][1] - usual) / usual if usual else 0.0
    return TrendChart(
        title,
        show(known[-1][1]),
        f"{change:+.0%}" if abs(change) >= _LEAST_CHANGE else "",
        " ".join(f"{x},{y}" for x, y in points),
        *points[-1],
        f"{title} over {len(values)} runs: " + ", ".join(show(value) for _, value in known),
    )


_MOST_BARS = 10
_LEAST_RUNS = 2
_LEAST_CHANGE = 0.01
_LABEL_WIDTH = 48.0
_ROUND_TIMES = (0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 18_000, 36_000, 86_400)


@dataclass(frozen=True)
class _Scale:
    """Values to places on the axis."""

    low: float
    high: float
    axis: Axis

    @classmethod
    def of(cls, found: Histogram, axis: Axis) -> "_Scale":
        tail = (found.quantile(0.995) or found.largest) * 1.05
        low: float = axis.low if axis.low is not None else max(found.least, (found.quantile(0.005) or 0.0) * 0.98)
        high = axis.high if axis.high is not None else min(tail, found.largest)
        if axis.logarithmic:
            low = max(low, 1e-3)
            high = max(high, low * 1.5)
        return cls(low, high if high > low else low + 1.0, axis)

    def share(self, value: float) -> float:
        """0 at the left end of the axis, 1 at the right one."""
        if self.axis.logarithmic:
            part = math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)
        else:
            part = (value - self.low) / (self.high - self.low)
        return min(max(part, 0.0), 1.0)

    def value(self, share: float) -> float:
        if self.axis.logarithmic:
            return float(self.low * (self.high / self.low) ** share)
        return self.low + share * (self.high - self.low)

    def x(self, value: float) -> float:
        return _LEFT + self.share(value) * (_RIGHT - _LEFT)

    def counts(self, bins: Sequence[Bin]) -> list[int]:
        counts = [0] * _BARS
        for each in bins:
            counts[min(int(self.share((each.low + each.high) / 2) * _BARS), _BARS - 1)] += each.count
        return counts

    def label(self, place: int) -> str:
        begin, end = (self.axis.show(self.value(edge / _BARS)) for edge in (place, place + 1))
        if place == 0 and self.axis.low is None:
            return f"up to {end}"
        return f"{begin} and more" if place == _BARS - 1 and self.axis.high is None else f"{begin} to {end}"

    def ticks(self) -> tuple[Tick, ...]:
        """Round values along the axis, never so close that their labels touch."""
        ticks: list[Tick] = []
        free = 0.0
        for value in self._round_values():
            x = self.x(value)
            half = _LABEL_WIDTH / 2
            anchor, begin = (
                ("start", x) if x < half else ("end", x - 2 * half) if x > WIDTH - half else ("middle", x - half)
            )
            if begin >= free:
                ticks.append(Tick(round(x, 2), self.axis.show(value), anchor))
                free = begin + _LABEL_WIDTH
        return tuple(ticks)

    def _round_values(self) -> list[float]:
        if self.axis.logarithmic:
            return [value for value in _ROUND_TIMES if self.low <= value <= self.high] or [self.low, self.high]
        room = (self.high - self.low) / 4
        magnitude = 10.0 ** math.floor(math.log10(room))
        step = magnitude * min((factor for factor in (1, 2, 2.5, 5, 10) if factor * magnitude >= room), default=10)
        first = math.ceil(self.low / step - 1e-9)
        return [round(place * step, 9) for place in range(first, math.floor(self.high / step + 1e-9) + 1)]


def _height(count: int, highest: int) -> float:
    """Never so low that a bar cannot be seen."""
    return max(1.5, (_FLOOR - _TOP) * count / highest)


def _median(values: Sequence[float]) -> float | None:
    ordered = sorted(values)
    return ordered[len(ordered) // 2] if ordered else None
