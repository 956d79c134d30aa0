"""The transcribe stage: from planned units to committed ones, all in one fused stage."""

from dataclasses import dataclass

import apache_beam as beam

from funasr_beam.model.audio.limits import DecodeLimits
from funasr_beam.model.commits import CommittedUnits
from funasr_beam.model.front_end import FrontEndConfig
from funasr_beam.model.records import Unit
from funasr_beam.model.transcripts import TranscriberConfig
from funasr_beam.transforms.check_worker import CheckWorker, Expected
from funasr_beam.transforms.commit_units import CommitUnits
from funasr_beam.transforms.decode_and_segment import DecodeAndSegment
from funasr_beam.transforms.transcribe import Transcribe


@dataclass(frozen=True)
class StageConfig:
    """Plain values for every step of the transcribe stage; all of it is sent to the workers."""

    expected: Expected
    front_end: FrontEndConfig
    limits: DecodeLimits
    transcriber: TranscriberConfig
    committed: CommittedUnits


class TranscribeUnits(beam.PTransform[beam.PCollection[Unit], beam.PCollection[str]]):
    """Turn planned units into committed ones; gives their names.

    One composite, so that an engine's resource hint (a GPU) covers all of it or nothing: a hint on a part of it would
    break the fusion, and samples would cross a shuffle.
    """

    def __init__(self, config: StageConfig) -> None:
        super().__init__()
        self._config = config

    def expand(self, units: beam.PCollection[Unit]) -> beam.PCollection[str]:
        """Wire the stage."""
        config = self._config
        checked = units | CheckWorker(config.expected)
        audio = checked | DecodeAndSegment(config.front_end, config.limits, config.committed)
        results = audio | Transcribe(config.transcriber)
        return results | CommitUnits(config.committed)
