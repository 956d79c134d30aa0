"""How much time, memory and audio one untrusted file may take."""

from dataclasses import dataclass

from funasr_beam.model.records import SAMPLE_RATE


@dataclass(frozen=True)
class DecodeLimits:
    """The bounds within which a file is probed and decoded; one that passes them ends with a cause."""

    max_samples: int = 2 * 3600 * SAMPLE_RATE  # of one channel and one range, at 16 kHz
    max_channels: int = 32
    max_memory_bytes: int = 1536 * 2**20  # address space of the child process beyond what it has at its start
    stall_s: float = 60.0  # without one byte read or one packet decoded
    base_s: float = 300.0  # for a whole request, however small the file
    s_per_mb: float = 2.0  # and so much more for each MB of the file

    def total_s(self, size_bytes: int) -> float:
        """Longest time that one request for a file of this size may take."""
        return self.base_s + self.s_per_mb * size_bytes / 1e6


DEFAULT_LIMITS = DecodeLimits()
"""Generous for recordings of any length; made for files that nobody vouches for."""
