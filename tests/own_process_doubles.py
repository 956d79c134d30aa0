"""Recognisers for a process of their own, which die, fail, and stop in the ways of real ones."""

import ctypes
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import torch

from funasr_beam.model.batching import BatchLimits
from funasr_beam.model.checkpoint import describe, resolve
from funasr_beam.model.errors import Cause, RecordingError, RunError
from funasr_beam.model.records import Hypothesis
from funasr_beam.model.stage_clock import ENCODER
from funasr_beam.model.turns import Turn

KILLS, BREAKS, TOO_LARGE, WRONG, STRANGE, EXITS, LOGS, HANGS, UNREADABLE, OUTLIVED, LOGS_BADLY = range(-1, -12, -1)
"""First samples that have it killed, lose its GPU, lack memory, refuse, fail oddly, leave, write to the log, hang,
answer what nobody can read, die before a process that it has started, and log what cannot be written."""


class Double:
    """Writes how long each utterance is; what its first sample orders happens first."""

    batch_limits = BatchLimits(max_items=7)

    def __init__(self, clock, folder=None):
        self._clock, self._turn, self._folder = clock, Turn(on_gpu=True), folder

    def describe(self):
        return describe(resolve("demo"))

    def recognize(self, utterances):
        for utterance in utterances:
            self._obey(int(utterance.samples[0]), len(utterances))
        with self._turn, self._clock.measure(ENCODER):
            time.sleep(0.01)
        if any(utterance.samples[0] == UNREADABLE for utterance in utterances):
            return [Unreadable()]
        return [Hypothesis(f"{len(utterance.samples)}", (), "stop") for utterance in utterances]

    def _obey(self, order, count):
        if order == KILLS:
            time.sleep(0.05)  # until its neighbours are under way
            os.kill(os.getpid(), signal.SIGKILL)
        elif order == BREAKS:
            raise torch.AcceleratorError("CUDA error: an illegal memory access was encountered\nmore")
        elif order == TOO_LARGE and count > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        elif order == WRONG:
            raise RecordingError(Cause.TOO_SHORT, "too short for this double")
        elif order == STRANGE:
            raise UnsendableError(threading.Lock())
        elif order == EXITS:
            sys.stderr.write("first words\nlast words\n")
            sys.stderr.flush()
            os._exit(3)
        elif order == OUTLIVED:
            left = subprocess.Popen(["sleep", "600"], close_fds=False, stderr=subprocess.DEVNULL)
            Path(self._folder, f"{left.pid}.left").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        elif order == HANGS:
            time.sleep(600)
        elif order == LOGS:
            logging.getLogger("funasr_beam").warning("said %s", "there")
        elif order == LOGS_BADLY:
            logging.getLogger("funasr_beam").warning("%d files", "many")


class Unreadable:
    """Cannot be read from its pickle."""

    def __reduce__(self):
        return int, ("no number",)


class UnsendableError(Exception):
    """Cannot be pickled."""


def load(clock, folder=None):
    """A double that is ready; in a folder, each start leaves a file."""
    if folder:
        Path(folder, str(os.getpid())).touch()
    return Double(clock, folder)


def load_without_owner(clock, folder):
    """Hangs while its owner dies."""
    Path(folder, str(os.getpid())).touch()
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(600)


def load_badly(how):
    """A load that fails."""
    if how == "error":
        raise RunError("the checkpoint is damaged")
    if how == "memory":
        raise torch.OutOfMemoryError("CUDA out of memory")
    if how == "hang":
        time.sleep(600)
    ctypes.string_at(0)  # a crash of native code


def load_late(clock, folder):
    """Dies as it loads again, once."""
    if len(list(Path(folder).iterdir())) == 1:
        Path(folder, "died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return load(clock, folder)


def load_once(clock, folder):
    """Loads the first time only."""
    if list(Path(folder).iterdir()):
        raise RunError("the GPU is gone")
    return load(clock, folder)
