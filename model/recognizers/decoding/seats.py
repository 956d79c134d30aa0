"""Which row is written in which slot: what the host knows without asking the device."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass
class Row:
    """A prompt on its way."""

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


class Seats:
    """Rows that wait, the longest first, and those that have a slot."""

    def __init__(self, rows: Sequence[Row], count: int) -> None:
        """Everybody waits for one of `count` slots."""
        # The longest first: what is left at the end is short, and prompts of similar length are read together.
        self._waiting = deque(sorted(rows, key=lambda row: (-row.needs, -row.prompt, row.place)))
        self._seats: list[Row | None] = [None] * count

    @property
    def is_empty(self) -> bool:
        """Whether nobody waits and nobody sits."""
        return not self._waiting and not self.taken

    @property
    def taken(self) -> dict[int, Row]:
        """Rows by their slot, in order."""
        return {seat: row for seat, row in enumerate(self._seats) if row}

    @property
    def used(self) -> int:
        """So many of the first slots hold all rows."""
        return 1 + max(self.taken, default=-1)

    @property
    def reach(self) -> int:
        """So many positions hold all that the next step reads and writes."""
        return 1 + max((row.position for row in self.taken.values()), default=-1)

    def admit(self, min_free: int, max_tokens: int) -> dict[int, Row]:
        """Give slots to those who wait longest; by slot. Nobody, while fewer slots are free than `min_free`.

        Args:
            min_free: of the slots; fewer are enough for fewer rows.
            max_tokens: of the prompts with their padding; a single one may be longer.
        """
        free = [seat for seat, row in enumerate(self._seats) if row is None]
        if not self._waiting or len(free) < min(min_free, len(self._waiting)):
            return {}
        admitted: dict[int, Row] = {}
        longest = 0
        for seat in free:
            longest = max(longest, self._waiting[0].prompt) if self._waiting else 0
            if not self._waiting or (admitted and longest * (len(admitted) + 1) > max_tokens):
                break
            admitted[seat] = self._seats[seat] = row = self._waiting.popleft()
            row.position = row.prompt
        return admitted

    def leave(self, seat: int) -> None:
        """The row is done."""
        self._seats[seat] = None

    def close_up(self, count: int) -> list[tuple[int, int]]:
        """Seat everybody in the first `count` slots; gives who moved: (from, to)."""
        late = [seat for seat in self.taken if seat >= count]
        free = [seat for seat, row in enumerate(self._seats[:count]) if row is None]
        moves = list(zip(late, free, strict=False))
        for source, target in moves:
            self._seats[target], self._seats[source] = self._seats[source], None
        return moves

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)
