"""One run of the real pipeline with a recogniser that is none, and where its CPU seconds went; see `host_path`.

    python -m benchmarks.host_run INPUT OUTPUT [--workers N]

Prints one JSON object. CPU seconds are those of threads and of the decoder processes, so that other work on the machine
counts little; each stage has its own, without those of the stages that it calls.
"""

import argparse
import json
import os
import resource
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from funasr_beam.model import transcripts
from funasr_beam.model.audio.sandbox import Decoder
from funasr_beam.model.audio.source import MediaSource
from funasr_beam.model.batching import BatchLimits
from funasr_beam.model.checkpoint import CheckpointInfo
from funasr_beam.model.commits import CommittedUnits
from funasr_beam.model.front_end import FrontEnd
from funasr_beam.model.recognizers.base import RecognizerSettings, Utterance
from funasr_beam.model.recognizers.families import describe_model
from funasr_beam.model.records import Hypothesis, Token
from funasr_beam.model.vad import SpeechDetector
from funasr_beam.pipeline import transcription
from funasr_beam.pipeline.cli import main as funasr_beam

WORDS_PER_S = 2.5
TEXT = """
so we went over there in the morning because nobody had told us that the shop would open late and then it began
to rain quite heavily while my brother was still looking for his keys which he had left on the kitchen table
""".split()  # noqa: SIM905 - prose is easier to read


def main() -> None:
    """Run the command, print the ledger."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--workers", type=int, default=1)
    arguments = parser.parse_args()
    ledger = Ledger()
    install(ledger)
    began = time.monotonic()
    options = ["--model", "demo", "--workers", str(arguments.workers)]
    code = funasr_beam(["transcribe", str(arguments.input), "--output", str(arguments.output), *options])
    print(json.dumps({"exit": code, "wall_s": time.monotonic() - began, "cpu_s": ledger.close()}))


class Ledger:
    """CPU seconds by stage, which add up to those of this process and its children."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._lock = threading.Lock()
        self._thread = threading.local()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Charge what this thread does from here on to a stage, and not to the one around it."""
        self._charge()
        stack = self._stack()
        stack.append(name)
        try:
            yield
        finally:
            self._charge()
            stack.pop()

    def add(self, name: str, seconds: float) -> None:
        """Charge CPU seconds of another process."""
        with self._lock:
            self.seconds[name] += seconds

    def wrap(self, owner: Any, function: str, name: str) -> None:
        """Charge all calls of a function to a stage."""
        inner: Callable[..., Any] = getattr(owner, function)

        def timed(*args: Any, **kwargs: Any) -> Any:
            with self.stage(name):
                return inner(*args, **kwargs)

        setattr(owner, function, timed)

    def close(self) -> dict[str, float]:
        """The stages, and the rest of all that was used since this process began."""
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        total = time.process_time() + children.ru_utime + children.ru_stime
        return dict(self.seconds) | {"rest": total - sum(self.seconds.values()), "total": total}

    def _charge(self) -> None:
        now = time.thread_time()
        if stack := self._stack():
            self.add(stack[-1], now - self._thread.since)
        self._thread.since = now

    def _stack(self) -> list[str]:
        if not hasattr(self._thread, "stack"):
            self._thread.stack = []
        stack: list[str] = self._thread.stack
        return stack


def install(ledger: Ledger) -> None:
    """Put the ledger around the stages, and nothing in the place of the recogniser."""
    ledger.add("start: imports", time.process_time())
    ledger.wrap(transcription, "_plan", "plan")
    ledger.wrap(FrontEnd, "_border", "settle borders")
    ledger.wrap(FrontEnd, "_cut_span", "layout, cut, quality")
    ledger.wrap(SpeechDetector, "speech_probabilities", "VAD")
    ledger.wrap(transcripts.UnitTranscriber, "transcribe", "batch, language, text")
    ledger.wrap(CommittedUnits, "commit", "commit")
    ledger.wrap(transcription, "assemble", "assemble")
    ledger.wrap(transcription, "_finish", "metrics, report")
    ledger.wrap(transcription, "load_transcriber", "start: text tools")
    for function in ("probe", "decode_range"):
        ledger.wrap(Decoder, function, "receive samples")
        _charge_child(ledger, function)
    setattr(transcripts, "load_recognizer", NullRecognizer)  # noqa: B010 - it is none of its exports


def _charge_child(ledger: Ledger, function: str) -> None:
    """Charge what the decoder process uses meanwhile to decoding, and its start to starting."""
    inner = getattr(Decoder, function)
    probe = Decoder.probe

    def charged(decoder: Decoder, source: MediaSource, *args: Any) -> Any:
        if decoder.pid is None:
            probe(decoder, source)
            ledger.add("start: decoder process", _cpu_of(decoder.pid))
        before = _cpu_of(decoder.pid)
        try:
            return inner(decoder, source, *args)
        finally:
            ledger.add("decode", _cpu_of(decoder.pid) - before)

    setattr(Decoder, function, charged)


def _cpu_of(pid: int | None) -> float:
    if pid is None:
        return 0.0
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class NullRecognizer:
    """Hears nothing and says something, at the speed of speech, so that everything behind it has its work."""

    longest_segment_s = 30.0
    on_gpu = True
    batch_limits = BatchLimits(max_items=64)

    def __init__(self, model: str, settings: RecognizerSettings) -> None:
        import torch

        torch.set_num_threads(1)  # as a process does whose threads are busy themselves
        self._info = describe_model(model)

    def describe(self) -> CheckpointInfo:
        """As the demo checkpoint."""
        return self._info

    def recognize(self, utterances: Sequence[Utterance]) -> list[Hypothesis]:
        """Words, as many as the utterance has room for."""
        return [self._say(utterance.duration_s) for utterance in utterances]

    def _say(self, duration_s: float) -> Hypothesis:
        words = (TEXT * 3)[: max(1, round(duration_s * WORDS_PER_S))]
        return Hypothesis(" ".join(words), tuple(Token(f" {word}", -0.1) for word in words), "stop")


if __name__ == "__main__":
    main()
