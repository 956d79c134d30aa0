"""How much is decoded at once, and in which shapes; none of it changes a text."""

from dataclasses import dataclass


@dataclass(frozen=True)
class EngineLimits:
    """What memory allows, and what suits the device."""

    kv_bytes: int = 4 << 30  # for keys and values
    max_rows: int = 64
    prefill_tokens: int = 8_192  # of prompts with their padding, at once
    refill_share: float = 0.125  # of the slots must be free: reading prompts costs a GPU the same launches for 1 or 32


@dataclass(frozen=True)
class Grid:
    """The shapes in which steps are done, and how often the host looks at them."""

    is_coarse: bool  # few numbers of rows and slots: each shape is recorded
    positions: int  # numbers of positions are multiples of it
    steps_per_look: int  # each look makes the device wait for the host

    def slots(self, count: int) -> int:
        """How many slots there must be for so many rows: few numbers, so that records are used again."""
        return 1 << (count - 1).bit_length() if self.is_coarse else count

    def rows(self, count: int) -> int:
        """The number of rows that a step works on if `count` are needed.

        Recorded ones are between powers of two as well: a step reads the keys and values of all its rows, and of 128
        for 75 it would read 60 % more than of 80.
        """
        between = max(8, self.slots(count) // 8) if self.is_coarse else 1
        return min(self.slots(count), -(-count // between) * between)

    def slot_positions(self, needed: int) -> int:
        """How long slots are that must hold so many positions: few lengths, so that records are used again."""
        if not self.is_coarse:
            return self.up(needed)
        power = max(self.positions, 1 << (needed - 1).bit_length())
        return self.up(power * 3 // 4) if power * 3 // 4 >= needed else power

    def up(self, positions: int) -> int:
        """The next multiple."""
        return -(-positions // self.positions) * self.positions


RECORDED = Grid(is_coarse=True, positions=64, steps_per_look=4)
"""For a GPU. A look costs about 0.1 ms and a step 1 to 4; rows that ended are carried on to the next look."""
DIRECT = Grid(is_coarse=False, positions=16, steps_per_look=1)
"""For a CPU, which pays for every row and position, and has nothing to wait for."""
