"""Packets in order, each with its place on the recording's clock, remembered as long as the next cell needs them."""

from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from itertools import chain
from typing import NamedTuple

import av.error

from funasr_beam.model.audio.container import MAX_GAP_S, AudioPacket, OpenAudio

SEEK_SLACK_S = 3.0
"""How far before the wanted time a seek aims: an Ogg page carries one time for all its packets."""

MAX_BACK_S = 0.5
"""Time stamps that go back further than this were started anew."""


class PlacedPacket(NamedTuple):
    """A packet, where it begins (seconds of the recording) and how its clock was shifted."""

    packet: AudioPacket
    start_s: float
    shift_s: float  # added to the container's time: makes up for broken clocks


class Feed:
    """The packets of one recording, from its beginning or from a seek on.

    A cell needs packets from before its start (the decoder warms up on them), which the cell before has used too:
    what lies after `keep_from_s` is therefore given out again.
    """

    def __init__(self, audio: OpenAudio) -> None:
        self.ended = False
        self._errors = 0
        self._audio = audio
        self._demux = self._from_start()
        self._waiting: deque[PlacedPacket] = deque()
        self._kept: deque[PlacedPacket] = deque()
        self._keep_from_s = 0.0

    def skip_to(self, start_s: float) -> None:
        """Go on until what was kept begins with the last packet at or before a time."""
        first = self._jump(start_s)
        self.begin(start_s)
        if first is not None:
            self._waiting.append(first)
        while (placed := self.take()) is not None and placed.start_s <= start_s:
            pass

    def _jump(self, start_s: float) -> PlacedPacket | None:
        """The first packet after a seek; None where there was none, and reading goes on from the beginning."""
        aim_s = start_s - SEEK_SLACK_S
        if aim_s <= 0 or not self._audio.can_seek or not self._seek(aim_s):
            return None
        first = self._demux_next()
        if first is not None and first.start_s <= start_s:
            return first
        self.ended = False
        self._seek(-SEEK_SLACK_S)
        return None

    def _seek(self, aim_s: float) -> bool:
        audio = self._audio
        offset = int((Fraction(aim_s) + audio.zero_s) / audio.tick_s)
        try:
            audio.container.seek(offset, stream=audio.stream)
        except av.error.FFmpegError:
            return False
        self._demux = _placed(audio.packets(), audio, exact=True)
        return True

    def begin(self, keep_from_s: float) -> None:
        """Give out again what was kept; from now on keep from the last packet at or before this time."""
        self._waiting.extendleft(reversed(self._kept))
        self._kept.clear()
        self._keep_from_s = keep_from_s

    def take(self) -> PlacedPacket | None:
        """The next packet; None at the end."""
        placed = self._waiting.popleft() if self._waiting else self._demux_next()
        if placed is not None:
            if placed.start_s <= self._keep_from_s:
                self._kept.clear()
            self._kept.append(placed)
        return placed

    def reaches(self, time_s: float) -> bool:
        """Whether a packet that will be given out again begins at or after a time."""
        return any(placed.start_s >= time_s for placed in (*self._kept, *self._waiting))

    def take_errors(self) -> int:
        """How often the demuxer has given up since this was last asked."""
        errors, self._errors = self._errors, 0
        return errors

    def _demux_next(self) -> PlacedPacket | None:
        if self.ended:
            return None
        try:
            placed = next(self._demux, None)
        except av.error.FFmpegError as error:
            # The demuxer gives up here: what follows in the file cannot be reached.
            if self._audio.file.failure is not None:
                raise self._audio.file.failure from error
            self._errors += 1
            placed = None
        self.ended = placed is None
        return placed

    def _from_start(self) -> Iterator[PlacedPacket]:
        audio = self._audio
        packets = chain((packet for packet, _ in audio.primed), audio.packets())
        return _placed(packets, audio, exact=audio.can_seek)


def _placed(packets: Iterator[AudioPacket], audio: OpenAudio, *, exact: bool) -> Iterator[PlacedPacket]:
    """Packets with their start; where a seek must give the same (`exact`), every time stamp is believed."""
    tick_s, zero_s = float(audio.tick_s), float(audio.zero_s)
    shift_s, previous = 0.0, None
    for packet in packets:
        stamp = packet.pts if packet.pts is not None else packet.dts
        if exact and stamp is None and previous is None:
            continue  # after a seek: nobody knows where this is, the next page will say
        stamped_s = None if stamp is None else stamp * tick_s - zero_s
        if exact and stamped_s is not None:
            start_s = stamped_s
        else:
            start_s, shift_s = _follow(previous, stamped_s, shift_s, tick_s)
        previous = PlacedPacket(packet, start_s, shift_s)
        yield previous


def _follow(
    previous: PlacedPacket | None, stamped_s: float | None, shift_s: float, tick_s: float
) -> tuple[float, float]:
    """Where a packet begins whose stamp may be missing or of a clock that was set anew, and the shift from then on."""
    if previous is None:
        return stamped_s or 0.0, shift_s
    expected_s = previous.start_s + (previous.packet.duration or 0) * tick_s
    if stamped_s is None:
        return expected_s, shift_s
    start_s = stamped_s + shift_s
    if -MAX_BACK_S <= start_s - expected_s <= MAX_GAP_S:
        return start_s, shift_s
    return expected_s, shift_s + expected_s - start_s
