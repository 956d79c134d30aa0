"""Which row runs in which slot, and which wait: what the host knows without asking the device."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass
class Row:
    """One prompt and how far its text is."""

    place: int  # in the list of prompts
    prompt: int  # positions
    budget: int
    position: int = 0  # which the next step reads, if the row still runs

    @property
    def needs(self) -> int:
        """Positions of its slot."""
        return self.prompt + self.budget

    def advance(self) -> None:
        """One more step; the last one reads the last token that the budget allows."""
        self.position = min(self.position + 1, self.needs - 1)


class SlotScheduler:
    """Rows that wait, the longest first, and those that have a slot."""

    def __init__(self, rows: Sequence[Row], count: int) -> None:
        """All rows wait for one of `count` slots."""
        # The longest first: what is left at the end is short, and prompts of similar length are read together.
        self._waiting = deque(sorted(rows, key=lambda row: (-row.needs, -row.prompt, row.place)))
        self._count = count
        self.running: dict[int, Row] = {}  # by their slot

    @property
    def is_empty(self) -> bool:
        """Whether no row waits and none runs."""
        return not self._waiting and not self.running

    @property
    def used(self) -> int:
        """How many of the first slots hold all rows."""
        return 1 + max(self.running, default=-1)

    @property
    def reach(self) -> int:
        """How many positions hold all that the next step reads and writes."""
        return 1 + max((row.position for row in self.running.values()), default=-1)

    def admit(self, min_free: int, max_tokens: int) -> dict[int, Row]:
        """Give free slots to waiting rows; those rows by slot. None, while fewer slots are free than `min_free`.

        Args:
            min_free: of the slots; fewer are enough if fewer rows wait.
            max_tokens: of the prompts with their padding; a single one may be longer.
        """
        if self._count - len(self.running) < min(min_free, len(self._waiting)):
            return {}
        admitted: dict[int, Row] = {}
        longest = 0
        for slot in self._free(self._count) if self._waiting else ():
            longest = max(longest, self._waiting[0].prompt) if self._waiting else 0
            if not self._waiting or (admitted and longest * (len(admitted) + 1) > max_tokens):
                break
            admitted[slot] = row = self._waiting.popleft()
            row.position = row.prompt
        self.running |= admitted
        return admitted

    def release(self, slot: int) -> None:
        """Free the slot of a row that has ended."""
        del self.running[slot]

    def compact(self, count: int) -> list[tuple[int, int]]:
        """Move all rows into the first `count` slots; gives the moves: (from, to)."""
        late = [slot for slot in self.running if slot >= count]
        moves = list(zip(late, self._free(count), strict=False))
        for source, target in moves:
            self.running[target] = self.running.pop(source)
        return moves

    def _free(self, count: int) -> list[int]:
        """Of the first `count` slots those without a row."""
        return [slot for slot in range(count) if slot not in self.running]

    @property
    def waiting(self) -> int:
        """How many rows wait."""
        return len(self._waiting)
