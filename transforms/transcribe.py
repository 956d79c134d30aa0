"""Audio of a unit becomes text through Beam's RunInference, one recogniser for each device of the process."""

import logging
import os
import time
from collections.abc import Iterable, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.ml.inference.base import ModelHandler, RunInference

from funasr_beam.model.front_end import UnitAudio
from funasr_beam.model.results import UnitResult
from funasr_beam.model.transcriber_pool import TranscriberPool
from funasr_beam.model.transcripts import TranscriberConfig, load_transcriber

_log = logging.getLogger("funasr_beam.worker")


class RecognizerHandler(ModelHandler[Any, UnitResult, TranscriberPool]):
    """Loads the recognisers once in a process and hands them whole units; batches are made inside a unit."""

    def __init__(self, config: TranscriberConfig) -> None:
        super().__init__()
        self._config = config

    def load_model(self) -> TranscriberPool:
        """Loaded recognisers, one for each device, with what turns their hypotheses into results."""
        began = time.monotonic()
        pool = load_transcriber(self._config)
        devices = ", ".join(member.device for member in pool.members)
        took_s = time.monotonic() - began
        _log.info("Process %d has loaded %s on %s in %.1f s", os.getpid(), self._config.model, devices, took_s)
        return pool

    def run_inference(
        self, batch: Sequence[Any], model: TranscriberPool, inference_args: dict[str, Any] | None = None
    ) -> Iterable[UnitResult]:
        """One finished unit for one unit of audio."""
        if not isinstance(batch, UnitAudio):
            raise TypeError(f"expected the audio of one unit, got {type(batch).__name__}")
        return [model.transcribe(batch)]

    def get_num_bytes(self, batch: Sequence[Any]) -> int:
        """Bytes of samples; the default would pickle them."""
        return batch.num_bytes if isinstance(batch, UnitAudio) else 0

    def get_metrics_namespace(self) -> str:
        """Where Beam's own counters of this step are."""
        return "funasr_beam.transcribe"


class Transcribe(beam.PTransform[beam.PCollection[UnitAudio], beam.PCollection[UnitResult]]):
    """Recognise, align and normalise every segment of a unit; failures are part of the result."""

    def __init__(self, config: TranscriberConfig) -> None:
        super().__init__()
        self._config = config

    def expand(self, audio: beam.PCollection[UnitAudio]) -> beam.PCollection[UnitResult]:
        """Wire RunInference, which takes a unit as a batch that is already made."""
        handler = RecognizerHandler(self._config).with_no_batching()
        return audio | "Recognize" >> RunInference(handler)
