"""A grammar as a weighted transducer that finds the best path of a text in microseconds.

The grammars are far from deterministic: after each word dozens of readings are open. Composing a text with one anew, as
wetext does five times a clause, takes milliseconds a word. Here the set of open readings is a state of its own, made
when it is first met and kept with its successors, so that text like what was seen before is a walk along a table.

Source: weighted determinization on demand (Mohri, Finite-State Transducers in Language and Speech Processing, 1997).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from kaldifst import StdVectorFst

MAX_SETS = 20_000
"""Sets of open readings that are kept; at a few kilobytes each, this bounds the memory of a grammar."""

_WEIGHT_UNIT = 1e-3
"""The grammars' weights are whole multiples of this: as integers their sums are exact, and ties are ties."""


class Piece(NamedTuple):
    """What one byte of input adds to the output."""

    before: bytes  # what arcs without input wrote before it
    output: bytes  # what it became: a byte or nothing


@dataclass(frozen=True)
class BestPath:
    """The output of lowest weight; of several with the same weight the first by its bytes."""

    pieces: tuple[Piece, ...]  # one for each byte of input
    rest: bytes  # what follows the last of them

    @property
    def output(self) -> bytes:
        """The whole output."""
        return b"".join([part for piece in self.pieces for part in piece] + [self.rest])


class _Origin(NamedTuple):
    """One best way to a reading from the set before."""

    source: int  # place in that set
    written: bytes
    output_bytes: int  # how many of the written bytes, the last ones, the byte of input became


class _Best(NamedTuple):
    """The best ways to a reading: several where they have the same weight."""

    weight: int
    origins: tuple[_Origin, ...]

    def through(self, output: bytes, weight: int, output_bytes: int) -> "_Best":
        """The ways that go on by an arc."""
        origins = tuple(_Origin(own.source, own.written + output, output_bytes) for own in self.origins)
        return _Best(self.weight + weight, origins)


@dataclass(frozen=True, eq=False)
class _Step:
    """From one set of readings to the next by a byte."""

    target: "_Readings"
    origins: tuple[tuple[_Origin, ...], ...]  # of each reading in the target


class _Readings:
    """A set of open readings: states, with weights above the lowest."""

    __slots__ = ("ending", "states", "steps", "weights")

    def __init__(self, states: tuple[int, ...], weights: tuple[int, ...]) -> None:
        self.states = states
        self.weights = weights
        self.steps: dict[int, _Step | None] = {}
        self.ending: tuple[_Origin, ...] | None = None  # None: not known yet


class Transducer:
    """Finds best paths; any thread may use it.

    Args:
        fst: from bytes to bytes; its weights are multiples of 0.001, and no cycle without input has a negative one.
    """

    def __init__(self, fst: "StdVectorFst") -> None:
        self._silent, self._arcs, self._final = _read(fst)
        self._start = _Readings((int(fst.start),), (0,))
        self._sets: dict[tuple[tuple[int, ...], tuple[int, ...]], _Readings] = {}

    def best_path(self, text: bytes) -> BestPath | None:
        """The best path of a text; None where the grammar has none."""
        readings, steps = self._start, []
        for byte in text:
            step = readings.steps[byte] if byte in readings.steps else self._step(readings, byte)
            if step is None:
                return None
            steps.append(step)
            readings = step.target
        if readings.ending is None:
            readings.ending = self._ending(readings)
        return _trace(steps, readings.ending) if readings.ending else None

    def _step(self, readings: _Readings, byte: int) -> _Step | None:
        """Where a byte leads; None: nowhere."""
        found: dict[int, _Best] = {}
        for state, best in self._open(readings).items():
            for output, weight, target in self._arcs[state].get(byte, ()):
                _keep(found, target, best.through(output, weight, len(output)))
        step = self._make_step(found) if found else None
        readings.steps[byte] = step
        return step

    def _make_step(self, found: dict[int, _Best]) -> _Step:
        states = tuple(sorted(found))
        lowest = min(best.weight for best in found.values())
        weights = tuple(found[state].weight - lowest for state in states)
        if len(self._sets) >= MAX_SETS:
            self._sets = {}
            self._start = _Readings(self._start.states, self._start.weights)
        target = self._sets.setdefault((states, weights), _Readings(states, weights))
        return _Step(target, tuple(found[state].origins for state in states))

    def _ending(self, readings: _Readings) -> tuple[_Origin, ...]:
        """The best readings that may end here; none if none may."""
        found: dict[int, _Best] = {}
        for state, best in self._open(readings).items():
            if state in self._final:
                _keep(found, 0, best.through(b"", self._final[state], 0))
        return found[0].origins if found else ()

    def _open(self, readings: _Readings) -> dict[int, _Best]:
        """All states that can be reached without input, with the best ways there."""
        found: dict[int, _Best] = {}
        for place, (state, weight) in enumerate(zip(readings.states, readings.weights, strict=True)):
            found[state] = _Best(weight, (_Origin(place, b"", 0),))
        waiting = [state for state in found if state in self._silent]
        while waiting:
            state = waiting.pop()
            for output, weight, target in self._silent[state]:
                if _keep(found, target, found[state].through(output, weight, 0)) and target in self._silent:
                    waiting.append(target)
        return found


def _keep(found: dict[int, _Best], state: int, new: _Best) -> bool:
    """Keep what is best of the known ways to a state and the new ones; tells whether anything changed."""
    known = found.get(state)
    if known is None or new.weight < known.weight:
        found[state] = new
        return True
    others = [origin for origin in new.origins if origin not in known.origins] if new.weight == known.weight else []
    if others:
        found[state] = _Best(known.weight, (*known.origins, *others))
    return bool(others)


_Arc = tuple[bytes, int, int]  # output, weight, target


def _read(fst: "StdVectorFst") -> tuple[dict[int, list[_Arc]], list[dict[int, list[_Arc]]], dict[int, int]]:
    """The arcs without input by state, those with input by state and byte, and the weights of ends."""
    from kaldifst import ArcIterator, StateIterator

    silent: dict[int, list[_Arc]] = {}
    arcs: list[dict[int, list[_Arc]]] = []
    final: dict[int, int] = {}
    outputs = [b"", *(bytes([byte]) for byte in range(1, 256))]
    for state in StateIterator(fst):
        own: dict[int, list[_Arc]] = {}
        for arc in ArcIterator(fst, state):
            item = (outputs[arc.olabel], _whole(arc.weight.value), arc.nextstate)
            (own if arc.ilabel else silent).setdefault(arc.ilabel or state, []).append(item)
        arcs.append(own)
        if (weight := fst.final(state).value) != float("inf"):
            final[state] = _whole(weight)
    return silent, arcs, final


def _whole(weight: float) -> int:
    return round(weight / _WEIGHT_UNIT)


def _trace(steps: Sequence[_Step], ending: tuple[_Origin, ...]) -> BestPath:
    """Follow the best way back to the beginning; where there are several, the first by its output."""
    if len(ending) > 1:
        return _trace_first(steps, ending)
    pieces = []
    place = ending[0].source
    for step in reversed(steps):
        origins = step.origins[place]
        if len(origins) > 1:
            return _trace_first(steps, ending)
        pieces.append(_piece(origins[0]))
        place = origins[0].source
    return BestPath(tuple(reversed(pieces)), ending[0].written)


def _trace_first(steps: Sequence[_Step], ending: tuple[_Origin, ...]) -> BestPath:
    """The way whose output comes first: backwards to find the readings on best ways, forwards to choose."""
    needed = [{origin.source for origin in ending}]
    for step in reversed(steps):
        needed.append({origin.source for place in needed[-1] for origin in step.origins[place]})
    ways: dict[int, _Way] = {0: (b"", ())}
    for step, places in zip(steps, reversed(needed[:-1]), strict=True):
        ways = {place: min(_extended(ways, origin) for origin in step.origins[place]) for place in places}
    _, chain = min(_extended(ways, origin) for origin in ending)
    *origins, last = _unwound(chain)
    return BestPath(tuple(_piece(origin) for origin in origins), last.written)


_Way = tuple[bytes, tuple[Any, ...]]
"""An output so far, and its origins as a chain of pairs: the last one, and the chain before it."""


def _extended(ways: dict[int, _Way], origin: _Origin) -> _Way:
    output, chain = ways[origin.source]
    return output + origin.written, (origin, chain)


def _unwound(chain: tuple[Any, ...]) -> list[_Origin]:
    origins = []
    while chain:
        origin, chain = chain
        origins.append(origin)
    return origins[::-1]


def _piece(origin: _Origin) -> Piece:
    border = len(origin.written) - origin.output_bytes
    return Piece(origin.written[:border], origin.written[border:])
