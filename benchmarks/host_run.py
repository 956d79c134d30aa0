"""One run of the real pipeline with a recogniser that is none, and where its CPU seconds went; see `host_path`.

    python -m benchmarks.host_run INPUT OUTPUT [--workers N]

Prints one JSON object. CPU seconds are those of threads and of the decoder processes, so that other work on the machine
counts little; each stage has its own, without those of the stages that it calls.
"""

import argparse
import json
import resource
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.clocks import wrap
from benchmarks.hardware import cpu_so_far
from funasr_beam.model import front_end, transcripts
from funasr_beam.model.audio.sandbox import Decoder
from funasr_beam.model.audio.source import MediaSource
from funasr_beam.model.batching import BatchLimits
from funasr_beam.model.checkpoint import CheckpointInfo
from funasr_beam.model.commits import CommittedUnits
from funasr_beam.model.front_end import FrontEnd
from funasr_beam.model.recognizers.base import RecognizerSettings, Utterance
from funasr_beam.model.recognizers.families import describe_model
from funasr_beam.model.records import Hypothesis, Token
from funasr_beam.model.stage_clock import StageClock
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
    clock = StageClock(now=time.thread_time)
    install(clock)
    began = time.monotonic()
    options = ["--model", "demo", "--workers", str(arguments.workers)]
    code = funasr_beam(["transcribe", str(arguments.input), "--output", str(arguments.output), *options])
    print(json.dumps({"exit": code, "wall_s": time.monotonic() - began, "cpu_s": ledger(clock)}))


def ledger(clock: StageClock) -> dict[str, float]:
    """The stages, and the rest of all that this process and its children have used since they began."""
    children, seconds = resource.getrusage(resource.RUSAGE_CHILDREN), clock.seconds()
    total = time.process_time() + children.ru_utime + children.ru_stime
    return seconds | {"rest": total - sum(seconds.values()), "total": total}


def install(clock: StageClock) -> None:
    """Put the clock around the stages, and nothing in the place of the recogniser."""
    clock.add("start: imports", time.process_time())
    wrap(transcription, "_plan", clock, "plan")
    wrap(FrontEnd, "_border", clock, "settle borders")
    wrap(front_end, "_piece", clock, "layout, cut, quality")
    wrap(FrontEnd, "_cut", clock, "layout, cut, quality")
    wrap(SpeechDetector, "speech_probabilities", clock, "VAD")
    wrap(transcripts.UnitTranscriber, "transcribe", clock, "batch, language, text")
    wrap(CommittedUnits, "commit", clock, "commit")
    wrap(transcription, "assemble", clock, "assemble")
    wrap(transcription, "_finish", clock, "metrics, report")
    wrap(transcription, "load_transcriber", clock, "start: text tools")
    for function in ("probe", "decode_range"):
        wrap(Decoder, function, clock, "receive samples")
        _charge_child(clock, function)
    setattr(transcripts, "load_recognizer", NullRecognizer)  # noqa: B010 - it is none of its exports


def _charge_child(clock: StageClock, function: str) -> None:
    """Charge what the decoder process uses meanwhile to decoding, and its start to starting."""
    inner = getattr(Decoder, function)
    probe = Decoder.probe

    def charged(decoder: Decoder, source: MediaSource, *args: Any) -> Any:
        if decoder.pid is None:
            probe(decoder, source)
            clock.add("start: decoder process", cpu_so_far(decoder.pid))
        before = cpu_so_far(decoder.pid)
        try:
            return inner(decoder, source, *args)
        finally:
            clock.add("decode", cpu_so_far(decoder.pid) - before)

    setattr(Decoder, function, charged)


class NullRecognizer:
    """Hears nothing and says something, at the speed of speech, so that everything behind it has its work."""

    batch_limits = BatchLimits(max_items=64)

    def __init__(self, model: str, settings: RecognizerSettings) -> None:
        self._info = describe_model(model)

    def describe(self) -> CheckpointInfo:
        """As the demo checkpoint."""
        return self._info

    def recognize(self, utterances: Sequence[Utterance]) -> list[Hypothesis]:
        """Words, as many as the utterance has room for."""
        return [spoken_text(utterance.duration_s) for utterance in utterances]


def spoken_text(duration_s: float) -> Hypothesis:
    """A text as long as speech of this length has."""
    words = (TEXT * 3)[: max(1, round(duration_s * WORDS_PER_S))]
    return Hypothesis(" ".join(words), tuple(Token(f" {word}", -0.1) for word in words), "stop")


if __name__ == "__main__":
    main()
