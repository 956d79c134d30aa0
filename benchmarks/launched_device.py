"""A recogniser that launches as one on a GPU does, without one."""

import itertools
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from random import Random

import torch

from benchmarks.text_path import align, as_written, make_texts
from funasr_beam.model.batching import make_parts
from funasr_beam.model.checkpoint import CheckpointInfo, describe, resolve
from funasr_beam.model.recognizers.base import Utterance
from funasr_beam.model.recognizers.fun_asr_nano import GPU_CALL
from funasr_beam.model.recognizers.memory import GPU
from funasr_beam.model.records import Hypothesis, Seconds
from funasr_beam.model.stage_clock import StageClock

LIMITS = replace(GPU_CALL, part_padded_s=GPU.encoder_padded_s)

ENCODE_S_PER_HOUR = 0.55
ENCODE_LAUNCHES = 1_220  # of a part
READ_LAUNCHES, READ_S, READ_ROWS = 350, 0.007, 32  # to read the prompts of so many rows
STEP_S, STEPS_PER_LOOK = 0.0016, 4
TOKENS_PER_S = 4.5
LOOK_LAUNCHES = 4
"""What a model of an H100's time says of Fun-ASR-Nano with its encoder in TF32 and its language model in bfloat16."""

DEVICE = "device"
"""The stage under which the clock has the device's own seconds."""


class LaunchedDevice:
    """Takes launches and time as Fun-ASR-Nano on a GPU, and says something."""

    batch_limits = LIMITS

    def __init__(self, clock: StageClock) -> None:
        torch.set_num_threads(1)
        self._clock, self._turn = clock, threading.Lock()
        self._operand = torch.zeros(2_048)  # its sine takes 5 us
        self._scores = torch.randn(200, 60).log_softmax(1)
        self._texts = itertools.cycle(make_texts(Random(0), 3_000))
        self._free_at_s = 0.0

    def describe(self) -> CheckpointInfo:
        """As the demo checkpoint."""
        return describe(resolve("demo"))

    def recognize(self, utterances: Sequence[Utterance]) -> list[Hypothesis]:
        """Words, as many as are said in a call."""
        lengths_s = [utterance.duration_s for utterance in utterances]
        with self._turn:
            for part in make_parts(lengths_s, LIMITS):
                padded_s = len(part) * max(lengths_s[place] for place in part)
                self._launch(ENCODE_LAUNCHES, ENCODE_S_PER_HOUR * padded_s / 3_600)
            for _ in range(-(-len(utterances) // READ_ROWS)):
                self._launch(READ_LAUNCHES, READ_S)
            for _ in range(round(max(lengths_s) * TOKENS_PER_S) // STEPS_PER_LOOK):
                self._launch(STEPS_PER_LOOK, STEPS_PER_LOOK * STEP_S)
                self._wait()
                self._launch(LOOK_LAUNCHES, 0.0)
        return [self._say() for _ in utterances]

    def _launch(self, count: int, seconds: Seconds) -> None:
        """Ask for operations that take the device so long together."""
        for _ in range(count):
            torch.sin(self._operand)
            self._free_at_s = max(time.perf_counter(), self._free_at_s) + seconds / count
        self._clock.add(DEVICE, seconds)

    def _wait(self) -> None:
        time.sleep(max(0.0, self._free_at_s - time.perf_counter()))

    def _say(self) -> Hypothesis:
        text, _ = next(self._texts)
        align(text, self._scores)
        return as_written(text)
