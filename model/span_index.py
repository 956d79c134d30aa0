"""Which committed unit holds which span: from one listing and the plans, a few bytes for each span."""

from collections import OrderedDict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from funasr_beam.model.commits import CommittedUnits
from funasr_beam.model.errors import RunError
from funasr_beam.model.plan_files import PlanFiles
from funasr_beam.model.results import SpanResult

_UNITS_IN_MEMORY = 8
_READERS = 16  # units of no known plan are asked for their spans, this many at once
_Ids = npt.NDArray[np.bytes_]


class SpanIndex:
    """Finds the result of a span among the committed units, whatever plan they were made under.

    The plans say which spans a unit has, so that committed units need not be opened to know; only a unit
    of no known plan is.
    """

    def __init__(self, committed: CommittedUnits, plans: Iterable[PlanFiles] = ()) -> None:
        self._committed = committed
        self._names = committed.names()
        self._spans, self._units = _sorted_spans(committed, self._names, plans)
        self._held: OrderedDict[int, dict[str, SpanResult]] = OrderedDict()

    def __contains__(self, span_id: str) -> bool:
        """Whether a span is done."""
        return self._unit_of(span_id) is not None

    def result(self, span_id: str) -> SpanResult:
        """The committed result of a span; spans asked for in the order of the plan cost one reading of each unit.

        Raises:
            RunError: it was never committed.
        """
        unit = self._unit_of(span_id)
        if unit is None:
            raise RunError(f"span {span_id} is missing from the committed units; run the same command again")
        if unit not in self._held:
            self._held[unit] = {span.span_id: span for span in self._committed.spans(self._names[unit])}
            if len(self._held) > _UNITS_IN_MEMORY:
                self._held.popitem(last=False)
        self._held.move_to_end(unit)
        return self._held[unit][span_id]

    def _unit_of(self, span_id: str) -> int | None:
        wanted = span_id.encode()
        place = int(np.searchsorted(self._spans, wanted))
        found = place < len(self._spans) and self._spans[place] == wanted
        return int(self._units[place]) if found else None


def _sorted_spans(
    committed: CommittedUnits, names: list[str], plans: Iterable[PlanFiles]
) -> tuple[_Ids, npt.NDArray[np.int32]]:
    numbers = {name: number for number, name in enumerate(names)}
    found: list[tuple[int, list[str]]] = []
    ids, units = [np.empty(0, "S1")], [np.empty(0, np.int32)]
    for table in (table for plan in plans for table in plan.unit_spans()):
        known = [
            (numbers.pop(name), number) for number, name in enumerate(table["name"].to_pylist()) if name in numbers
        ]
        for unit, row in known:
            found.append((unit, table["span_ids"][row].as_py()))
        _pack(found, ids, units)
    with ThreadPoolExecutor(_READERS, "spans") as pool:
        found += zip(numbers.values(), pool.map(committed.span_ids, numbers), strict=True)
    _pack(found, ids, units)
    spans, owners = np.concatenate(ids), np.concatenate(units)
    order = np.argsort(spans, kind="stable")
    return spans[order], owners[order]


def _pack(found: list[tuple[int, list[str]]], ids: list[_Ids], units: list[npt.NDArray[np.int32]]) -> None:
    """Move what was found into arrays."""
    for unit, spans in found:
        if spans:
            ids.append(np.array(spans, "S"))
            units.append(np.full(len(spans), unit, np.int32))
    found.clear()
