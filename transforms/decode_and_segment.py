"""Units of work become audio in memory: decoded, searched for speech and cut."""

import logging
from collections.abc import Iterator

import apache_beam as beam

from funasr_beam.model.audio.limits import DecodeLimits
from funasr_beam.model.commits import CommittedUnits
from funasr_beam.model.front_end import FrontEnd, FrontEndConfig, UnitAudio
from funasr_beam.model.records import Unit

_log = logging.getLogger("funasr_beam.worker")


class UnitAudioCoder(beam.coders.Coder):
    """Refuses to encode: samples live and die inside one fused stage and never cross a shuffle.

    One hour through a single Reshuffle costs four times its size in memory and half a minute, so a pipeline that is
    wired like that must fail in its first test, not in its first big run.
    """

    def encode(self, value: UnitAudio) -> bytes:
        """Never succeeds.

        Raises:
            TypeError: always.
        """
        raise TypeError(f"the samples of unit {value.unit.name} are about to cross a stage boundary: keep it fused")

    def estimate_size(self, value: UnitAudio) -> int:
        """Bytes of samples, told without encoding them."""
        return value.num_bytes

    def is_deterministic(self) -> bool:
        """There is no encoding."""
        return False


beam.coders.registry.register_coder(UnitAudio, UnitAudioCoder)


class DecodeAndSegment(beam.PTransform[beam.PCollection[Unit], beam.PCollection[UnitAudio]]):
    """Decode the spans of each unit that is not committed yet, and cut them into segments."""

    def __init__(self, config: FrontEndConfig, limits: DecodeLimits, committed: CommittedUnits) -> None:
        super().__init__()
        self._config = config
        self._limits = limits
        self._committed = committed

    def expand(self, units: beam.PCollection[Unit]) -> beam.PCollection[UnitAudio]:
        """Wire the one step."""
        return units | "Decode" >> beam.ParDo(_Decode(self._config, self._limits, self._committed))


class _Decode(beam.DoFn):
    """One front end, so one decoder process, for each worker thread."""

    def __init__(self, config: FrontEndConfig, limits: DecodeLimits, committed: CommittedUnits) -> None:
        self._config = config
        self._limits = limits
        self._committed = committed
        self._front_end: FrontEnd | None = None

    def setup(self) -> None:
        self._front_end = FrontEnd(self._config, self._limits)

    def process(self, unit: Unit) -> Iterator[UnitAudio]:
        # An engine that lost one worker runs the healthy ones' units again, too: look before decoding.
        if self._committed.has(unit.name):
            _log.info("Unit %s is committed already", unit.name)
        elif self._front_end is not None:
            _log.info("Unit %s begins: %d spans", unit.name, len(unit.spans))
            yield self._front_end.prepare(unit)

    def teardown(self) -> None:
        if self._front_end is not None:
            self._front_end.close()
