"""One run of the real command with clocks in it; see `end_to_end`.

    python -m benchmarks.end_run INPUT OUTPUT --model MODEL --began EPOCH_S [--device cpu] [--workers 2]

Prints one JSON object.
"""

import argparse
import functools
import json
import time
from collections.abc import Sequence

from benchmarks.clocks import wrap
from benchmarks.profiles import TOKENS_PER_S
from funasr_beam.model import transcripts
from funasr_beam.model.audio.sandbox import Decoder
from funasr_beam.model.commits import CommittedUnits
from funasr_beam.model.front_end import FrontEnd
from funasr_beam.model.recognizers.base import Recognizer, RecognizerSettings, Utterance
from funasr_beam.model.recognizers.fun_asr_nano import FunAsrNanoRecognizer
from funasr_beam.model.recognizers.own_process.owner import OwnProcessRecognizer
from funasr_beam.model.stage_clock import StageClock
from funasr_beam.model.vad import SpeechDetector
from funasr_beam.pipeline import transcription
from funasr_beam.pipeline.cli import main as funasr_beam

TRANSCRIBE = "transcribe"


def main() -> None:
    """Run the command, let its recogniser do its part again alone, print the ledgers."""
    arguments = parse()
    command, threads, recordings = StageClock(), StageClock(), Recordings()
    start_s = time.time() - arguments.began
    install(command, threads, recordings, speech_budget=arguments.speech_budget)
    options = ["--model", arguments.model, "--device", arguments.device, "--workers", str(arguments.workers)]
    # Random weights say things that would be recognised again.
    options += ["--set", "recognition.repair=false"]
    began = time.perf_counter()
    code = funasr_beam(["transcribe", arguments.input, "--output", arguments.output, *options])
    ran_s = time.perf_counter() - began
    if code != 0:
        raise SystemExit(code)
    stages = {"start": start_s, **command.seconds()}
    stages["rest"] = start_s + ran_s - sum(stages.values())
    work = threads.seconds()
    thread_s = stages[TRANSCRIBE] * arguments.workers
    work["waiting for a unit"] = thread_s - sum(work.values())
    ledgers = {"command": stages, "wall_s": start_s + ran_s, "threads": work, "thread_s": thread_s}
    print(json.dumps(ledgers | {"speech_s": recordings.speech_s, "alone_s": recordings.again()}))


def parse() -> argparse.Namespace:
    """What was asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input")
    parser.add_argument("output")
    parser.add_argument("--model", required=True)
    parser.add_argument("--began", type=float, required=True, help="when this process was started")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--speech-budget", action="store_true", help="texts are as long as those of speech")
    return parser.parse_args()


class Recordings:
    """The batches that the recogniser was given, to be recognised once more."""

    def __init__(self) -> None:
        self._heard: list[tuple[Recognizer, list[Utterance]]] = []

    def keep(self, recognizer: Recognizer, utterances: Sequence[Utterance]) -> None:
        """Remember a batch."""
        self._heard.append((recognizer, list(utterances)))

    @property
    def speech_s(self) -> float:
        """Seconds of audio in all of them."""
        return sum(item.duration_s for _, batch in self._heard for item in batch)

    def again(self) -> float:
        """Seconds that one thread takes for all of them."""
        heard, self._heard = self._heard, []
        began = time.perf_counter()
        for recognizer, batch in heard:
            recognizer.recognize(batch)
        return time.perf_counter() - began


def install(command: StageClock, threads: StageClock, recordings: Recordings, *, speech_budget: bool) -> None:
    """Put clocks around the stages."""
    wrap(transcription, "_plan", command, "plan")
    wrap(transcription, "load_transcriber", command, "load the model")
    wrap(
        transcription, "_transcribe_units", command, TRANSCRIBE, lambda *_: threads.reset()
    )  # what planning probed is none of it
    wrap(transcription, "assemble", command, "assemble")
    wrap(transcription, "_finish", command, "metrics, report")
    wrap(FrontEnd, "prepare", threads, "borders, layout, cut")
    wrap(Decoder, "decode_range", threads, "decode the file")
    wrap(SpeechDetector, "speech_probabilities", threads, "VAD")
    wrap(transcripts.UnitTranscriber, "transcribe", threads, "batch, language, ITN")
    for kind in (FunAsrNanoRecognizer, OwnProcessRecognizer):  # on a GPU the first is in the process of the second
        wrap(kind, "recognize", threads, "wait for the model, text", recordings.keep)
    wrap(CommittedUnits, "commit", threads, "commit")
    budget = {"base_tokens": 0, "tokens_per_s": TOKENS_PER_S} if speech_budget else {}
    settings = functools.partial(RecognizerSettings, clock=threads, **budget)
    setattr(transcripts, "RecognizerSettings", settings)  # noqa: B010 - it is none of its exports


if __name__ == "__main__":
    main()
