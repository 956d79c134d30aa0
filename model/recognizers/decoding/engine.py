"""Greedy decoding of a queue of prompts: rows that end leave, waiting ones take their places."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.nn.utils.rnn import pad_sequence

from funasr_beam.model.batching import is_out_of_memory
from funasr_beam.model.recognizers.decoding.forward import Prompts, prefill
from funasr_beam.model.recognizers.decoding.limits import DIRECT, RECORDED, EngineLimits, Grid
from funasr_beam.model.recognizers.decoding.pool import Layout, SlotPool
from funasr_beam.model.recognizers.decoding.scheduler import Row, SlotScheduler
from funasr_beam.model.recognizers.decoding.slots import BROKEN, RUNNING, STOPPED, Slots
from funasr_beam.model.recognizers.decoding.weights import share_weights
from funasr_beam.model.recognizers.greedy import Decoded
from funasr_beam.model.stage_clock import DECODE, PREFILL, StageClock

_COMPACT_BELOW = 0.75  # of the rows of a step: moving a row copies all of its keys and values


class DecodingEngine:
    """A loaded Qwen3 language model that writes what prompts lead to. One caller at a time."""

    def __init__(
        self,
        model: Any,
        end_ids: frozenset[int],
        limits: EngineLimits | None = None,
        grid: Grid | None = None,
        clock: StageClock | None = None,
    ) -> None:
        """Take over the weights of a model for which `weights.is_supported` holds; see `weights.share_weights`.

        Args:
            model: of transformers, on its device and in its dtype.
            end_ids: tokens that end a row.
            limits: how much is decoded at once.
            grid: None: what suits the device.
            clock: is told of reading prompts and of each step.
        """
        self._weights = share_weights(model)
        device = self._weights.embedding.device
        self._end_ids = torch.tensor(sorted(end_ids), device=device)
        self._limits = limits or EngineLimits()
        self._grid = grid or (RECORDED if device.type == "cuda" else DIRECT)
        self._clock = clock or StageClock()
        self._pool = SlotPool(self._weights, self._end_ids, self._limits.kv_bytes)

    @torch.inference_mode()
    def decode(self, prompts: Sequence[torch.Tensor], budgets: Sequence[int]) -> list[Decoded]:
        """What `greedy.decode_greedily` gives, in order: rows do not see each other, whatever their number and order.

        Args:
            prompts: one (positions, hidden) tensor of embeddings per row, in the model's dtype and on its device.
            budgets: the most tokens each row may write.

        Raises:
            RuntimeError: the model gave scores that are no finite numbers, or memory did not suffice; what the engine
                held is given back, and fewer prompts may work.
        """
        if not prompts:
            return []
        lengths = zip(map(len, prompts), budgets, strict=True)
        rows = [Row(place, prompt, budget) for place, (prompt, budget) in enumerate(lengths)]
        try:
            return self._decode(prompts, rows)
        except RuntimeError as error:
            if is_out_of_memory(error):  # or the next list would fail like this one
                self._pool.ask_for_less()
            self.release()
            raise

    def release(self) -> None:
        """Give back all memory but that of the weights; it is taken again when it is needed."""
        self._pool.release()

    def _decode(self, prompts: Sequence[torch.Tensor], rows: Sequence[Row]) -> list[Decoded]:
        layout = self._pool.lay_out(
            self._grid.slots(min(len(rows), self._limits.max_rows)),
            self._grid.slot_positions(max(row.needs for row in rows)),
        )
        layout.slots.status.fill_(STOPPED)  # whatever was left there
        scheduler = SlotScheduler(rows, layout.slots.count)
        decoded: dict[int, Decoded] = {}
        while not scheduler.is_empty:
            self._fill(layout.slots, scheduler, prompts)
            self._compact(layout.slots, scheduler)
            decoded.update(self._write(layout, scheduler))
        return [decoded[place] for place in range(len(rows))]

    def _fill(self, slots: Slots, scheduler: SlotScheduler, prompts: Sequence[torch.Tensor]) -> None:
        """Let waiting prompts take the slots that are free, once it pays."""
        min_free = max(1, round(slots.count * self._limits.refill_share))
        while admitted := scheduler.admit(min_free, self._limits.prefill_tokens):
            with self._clock.measure(PREFILL):
                self._read(slots, admitted, prompts)

    def _read(self, slots: Slots, admitted: Mapping[int, Row], prompts: Sequence[torch.Tensor]) -> None:
        """Read prompts into their slots, and note the first token of each."""
        numbers = [(slot, row.prompt, row.budget) for slot, row in admitted.items()]
        chosen, lengths, budgets = torch.tensor(numbers, device=slots.token.device).unbind(1)
        padded = pad_sequence([prompts[row.place] for row in admitted.values()], batch_first=True)
        prefill(self._weights, slots, self._end_ids, Prompts(padded, lengths, budgets, chosen))

    def _compact(self, slots: Slots, scheduler: SlotScheduler) -> None:
        """Once no row waits and enough have ended, move the rest together: steps then work on fewer."""
        count = self._grid.rows(len(scheduler.running)) if scheduler.running else 0
        if not scheduler.waiting and 0 < count <= _COMPACT_BELOW * scheduler.used:
            reach = scheduler.reach
            moves = scheduler.compact(count)
            if moves:
                slots.move(moves, reach)

    def _write(self, layout: Layout, scheduler: SlotScheduler) -> dict[int, Decoded]:
        """Some steps; what has ended by the last of them, by its place in the list of prompts."""
        rows = min(self._grid.rows(scheduler.used), layout.slots.count)
        for left in reversed(range(self._grid.steps_per_look)):
            positions = min(self._grid.up(scheduler.reach), layout.slots.positions)
            if not layout.step.has(rows, positions):
                _record(layout, rows, positions)
            for row in scheduler.running.values():
                row.advance()
            with self._clock.measure(DECODE):  # the look too: there the host waits for the steps
                layout.step(rows, positions)
                ended = {} if left else _collect(layout.slots, scheduler)
        return ended


def _record(layout: Layout, rows: int, positions: int) -> None:
    """Record a step while no row runs: it is done several times, and must change nothing."""
    status = layout.slots.status.clone()
    layout.slots.status.fill_(STOPPED)
    layout.step.record(rows, positions)
    layout.slots.status.copy_(status)


def _collect(slots: Slots, scheduler: SlotScheduler) -> dict[int, Decoded]:
    """Take the rows that have ended from their slots; what they wrote, by their place in the list of prompts.

    Raises:
        RuntimeError: a row's scores were no finite numbers.
    """
    # In one copy: each makes the host wait for the device.
    status, written = torch.stack([slots.status[: scheduler.used], slots.written[: scheduler.used]]).tolist()
    ended = {slot: row for slot, row in scheduler.running.items() if status[slot] != RUNNING}
    if any(status[slot] == BROKEN for slot in ended):
        raise RuntimeError("the language model gave scores that are no finite numbers")
    if not ended:
        return {}
    chosen = torch.tensor(list(ended), device=slots.token.device)
    longest = max(written[slot] for slot in ended)
    token_ids = slots.token_ids[chosen, :longest].tolist()
    logprobs = slots.logprobs[chosen, :longest].tolist()
    decoded = {}
    for (slot, row), ids, scores in zip(ended.items(), token_ids, logprobs, strict=True):
        scheduler.release(slot)
        reason = "stop" if status[slot] == STOPPED else "length"
        decoded[row.place] = Decoded(tuple(ids[: written[slot]]), tuple(scores[: written[slot]]), reason)
    return decoded
