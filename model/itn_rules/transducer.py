"""A grammar as a weighted transducer that finds the best path of a text in microseconds.

The grammars are far from deterministic: after each word dozens of readings are open. Composing a text with one anew, as
wetext does five times a clause, takes milliseconds a word. Here the set of open readings is a state of its own, made
when it is first met and kept with its successors, so that text like what was seen before is a walk along a table.

Source: weighted determinization on demand (Mohri, Finite-State Transducers in Language and Speech Processing, 1997).
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from kaldifst import StdVectorFst

MAX_SETS = 20_000
"""Sets of open readings that are kept; at a few kilobytes each, this bounds the memory of a grammar."""

_DECISIVE = 200_000
"""Readings further apart than this never change places: a word that is read as a word costs 100,000, all else less.

Without it a reading that waits for its "dot com" would leave the others further behind with every word, and each place
of a text would have a set of its own.
"""

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


_Arc = tuple[bytes, int, int]  # output, weight, target


class _Origin(NamedTuple):
    """One best way to a reading from the set before."""

    source: int  # place in that set
    piece: Piece  # written since


_Best = tuple[int, list[_Origin]]
"""The weight of a reading, and the ways to it: several where they have the same weight."""


class _Transition(NamedTuple):
    """An arc with all the arcs without input before it."""

    piece: Piece
    weight: int
    target: int


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
        self._known_silent: dict[int, list[_Arc]] = {}
        self._known_transitions: dict[tuple[int, int], Sequence[_Transition]] = {}

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
        transitions = [self._transitions(state, byte) for state in readings.states]
        found = _best(readings.weights, transitions)
        step = self._make_step(found) if found else None
        readings.steps[byte] = step
        return step

    def _make_step(self, found: dict[int, _Best]) -> _Step:
        states = tuple(sorted(found))
        heights = _heights({weight for weight, _ in found.values()})
        weights = tuple(heights[found[state][0]] for state in states)
        if len(self._sets) >= MAX_SETS:
            self._sets = {}
            self._start = _Readings(self._start.states, self._start.weights)
        target = self._sets.setdefault((states, weights), _Readings(states, weights))
        return _Step(target, tuple(tuple(found[state][1]) for state in states))

    def _ending(self, readings: _Readings) -> tuple[_Origin, ...]:
        """The best readings that may end here; none if none may."""
        transitions = [
            [
                _Transition(Piece(written, b""), weight + self._final[end], 0)
                for written, weight, end in self._silently(state)
                if end in self._final
            ]
            for state in readings.states
        ]
        found = _best(readings.weights, transitions)
        return tuple(found[0][1]) if found else ()

    def _transitions(self, state: int, byte: int) -> Sequence[_Transition]:
        """What can come of a state by a byte."""
        if (state, byte) not in self._known_transitions:
            self._known_transitions[state, byte] = [
                _Transition(Piece(written, output), before + weight, target)
                for written, before, place in self._silently(state)
                for output, weight, target in self._arcs[place].get(byte, ())
            ]
        return self._known_transitions[state, byte]

    def _silently(self, state: int) -> list[_Arc]:
        """The best ways from a state without input, staying there included; several to one state if equally good."""
        if state not in self._known_silent:
            self._known_silent[state] = _closure(state, self._silent)
        return self._known_silent[state]


def _best(weights: Sequence[int], transitions: Sequence[Sequence[_Transition]]) -> dict[int, _Best]:
    """The best ways by target from readings with these weights and transitions."""
    found: dict[int, _Best] = {}
    for source, (weight, own) in enumerate(zip(weights, transitions, strict=True)):
        for transition in own:
            total = weight + transition.weight
            known = found.get(transition.target)
            if known is None or total < known[0]:
                found[transition.target] = (total, [_Origin(source, transition.piece)])
            elif total == known[0]:
                known[1].append(_Origin(source, transition.piece))
    return found


def _closure(state: int, silent: dict[int, list[_Arc]]) -> list[_Arc]:
    """See `Transducer._silently`."""
    found: dict[int, tuple[int, set[bytes]]] = {state: (0, {b""})}
    waiting = [state]
    while waiting:
        place = waiting.pop()
        weight, outputs = found[place]
        for output, more, target in silent.get(place, ()):
            new = {written + output for written in outputs}
            lowest, known = found.get(target, (weight + more + 1, set[bytes]()))
            if weight + more < lowest:
                found[target] = (weight + more, new)
                waiting.append(target)
            elif weight + more == lowest and not new <= known:
                found[target] = (lowest, known | new)
                waiting.append(target)
    return [(written, weight, place) for place, (weight, outputs) in found.items() for written in sorted(outputs)]


def _heights(weights: set[int]) -> dict[int, int]:
    """What becomes of weights: above the lowest, and without the part of a gap that decides nothing."""
    ordered = sorted(weights)
    gaps = (min(upper - lower, _DECISIVE) for lower, upper in itertools.pairwise(ordered))
    return dict(zip(ordered, itertools.accumulate(gaps, initial=0), strict=True))


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
        pieces.append(origins[0].piece)
        place = origins[0].source
    return BestPath(tuple(reversed(pieces)), ending[0].piece.before)


def _trace_first(steps: Sequence[_Step], ending: tuple[_Origin, ...]) -> BestPath:
    """The way whose output comes first: backwards to find the readings on best ways, forwards to choose."""
    needed = [{origin.source for origin in ending}]
    for step in reversed(steps):
        needed.append({origin.source for place in needed[-1] for origin in step.origins[place]})
    ways: dict[int, _Way] = {0: (b"", ())}
    for step, places in zip(steps, reversed(needed[:-1]), strict=True):
        ways = {place: min(_extended(ways, origin) for origin in step.origins[place]) for place in places}
    _, chain = min(_extended(ways, origin) for origin in ending)
    *origins, last = _backtrace(chain)
    return BestPath(tuple(origin.piece for origin in origins), last.piece.before)


_Way = tuple[bytes, tuple[Any, ...]]
"""An output so far, and its origins as a chain of pairs: the last one, and the chain before it."""


def _extended(ways: dict[int, _Way], origin: _Origin) -> _Way:
    output, chain = ways[origin.source]
    return b"".join([output, *origin.piece]), (origin, chain)


def _backtrace(chain: tuple[Any, ...]) -> list[_Origin]:
    origins = []
    while chain:
        origin, chain = chain
        origins.append(origin)
    return origins[::-1]
