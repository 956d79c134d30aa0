"""One transcriber for each device, and which of them gets a unit."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from funasr_beam.model.devices import computing_on
from funasr_beam.model.front_end import UnitAudio
from funasr_beam.model.results import UnitResult


class Transcriber(Protocol):
    """Turns the audio of units into results. Several threads may call it."""

    def transcribe(self, unit: UnitAudio) -> UnitResult:
        """The result of every span, in order."""


@dataclass
class Member:
    """A transcriber whose models are on one device."""

    device: str
    transcriber: Transcriber
    context: str = "cpu"  # the device on which this process computes for it, be it only to align
    at_work: int = 0  # units


class TranscriberPool:
    """Hands each unit to the member that has the fewest. Several threads may call it."""

    def __init__(self, members: Sequence[Member]) -> None:
        """Take one member or more; what they write must not depend on which of them does it."""
        self.members = tuple(members)
        self._lock = threading.Lock()

    def transcribe(self, unit: UnitAudio) -> UnitResult:
        """What the member makes of it."""
        with self._lock:
            member = min(self.members, key=lambda member: member.at_work)
            member.at_work += 1
        try:
            with computing_on(member.context):
                return member.transcriber.transcribe(unit)
        finally:
            with self._lock:
                member.at_work -= 1
