"""Runs of the command in processes of their own that can be killed, forked from one that has imported everything.

Imports take most of the time of a short run; without them, ten times as many faults fit into the same time, and a kill
falls into the work instead of into the imports.
"""

import multiprocessing
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_PRELOADED = [
    "numpy.random",
    "torch",
    "torchaudio",
    "transformers",
    "silero_vad",
    "s3fs",
    "pyarrow.acero",
    "pyarrow.dataset",
    "pyarrow.parquet",
    "transformers.models.qwen3.modeling_qwen3",
    "duckdb",
    "funasr_beam.pipeline.transcription",
    "funasr_beam.pipeline.summary",
    "funasr_beam.pipeline.commands.transcribe",
    "funasr_beam.pipeline.commands.compare",
    "funasr_beam.pipeline.engines.local",
    "funasr_beam.pipeline.flow",
    "funasr_beam.pipeline.submission",
    "funasr_beam.model.recognizers.fun_asr_nano",
    "apache_beam.runners.portability.fn_api_runner",
    "tests.faults.warm",
]
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(_PRELOADED)


class Command:
    """`funasr-beam` with these arguments, started at once; what it prints goes to a file."""

    def __init__(
        self,
        arguments: Sequence[object],
        log: Path,
        environment: Mapping[str, str] | None = None,
        defect: Callable[[], None] | None = None,
    ) -> None:
        self.log = log
        words = [str(argument) for argument in arguments]
        self._process = _context.Process(target=_run, args=(words, str(log), dict(environment or {}), defect))
        self._process.start()

    @property
    def pid(self) -> int:
        """The process number."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process.is_alive()

    def wait(self, timeout_s: float = 300) -> int:
        """Its exit code; negative for a signal."""
        self._process.join(timeout_s)
        if self._process.is_alive():
            self._process.kill()
            raise TimeoutError(f"still running after {timeout_s} s:\n{self.text}")
        return self._process.exitcode

    def kill(self) -> None:
        """End it with SIGKILL, if it has not ended by itself."""
        self._process.kill()
        self._process.join()

    @property
    def text(self) -> str:
        """What it has printed so far."""
        return self.log.read_text(encoding="utf-8") if self.log.exists() else ""


def call(
    arguments: Sequence[object],
    log: Path,
    environment: Mapping[str, str] | None = None,
    defect: Callable[[], None] | None = None,
) -> tuple[int, str]:
    """Exit code and output of a command that is waited for."""
    command = Command(arguments, log, environment, defect)
    return command.wait(), command.text


def _run(words: list[str], log: str, environment: dict[str, str], defect: Callable[[], None] | None) -> None:
    """Be the command, with something wrong in its process if there is a defect."""
    os.environ.update(environment)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    sys.argv = ["funasr-beam", *words]
    import torch

    from funasr_beam.pipeline.cli import run

    # torch replaces a pool of threads from before the fork at its first use, and that fails ("Invalid thread pool!")
    # where two threads are the first at once: so it is this one.
    torch.set_num_threads(torch.get_num_threads())

    if defect is not None:
        defect()
    run()
