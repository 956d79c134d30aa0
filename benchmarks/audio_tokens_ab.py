"""Low against all audio tokens, on any labelled set and any checkpoint of the Fun-ASR-Nano family.

    python -m benchmarks.audio_tokens_ab MANIFEST --model fun-asr-nano [--references FILE] [--repeats 3] [--store]

MANIFEST is what `funasr-beam transcribe` takes: a column for the recording and, unless --references names a file of
them, one called `reference`. Both modes are run in turns through the whole pipeline, so that a busy machine is unfair
to neither; error rates are those of `funasr-beam evaluate`. `--store` keeps the result in
benchmarks/results/audio_tokens_ab.json.
"""

import argparse
import contextlib
import io
import json
import statistics
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.hardware import describe_machine
from funasr_beam.pipeline.cli import main as funasr_beam

RESULT = Path(__file__).parent / "results" / "audio_tokens_ab.json"
MODES = ("low", "all")


@dataclass(frozen=True)
class Side:
    """What one mode gave."""

    wer_percent: float
    cer_percent: float
    interval_percent: tuple[float, float] | None  # 95 %, of the words' rate
    recognize_s: list[float]  # of each repeat
    speech_per_s: float  # seconds of speech for each second of recognition, median


def main() -> None:
    """Run both modes, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest")
    parser.add_argument("--model", required=True)
    parser.add_argument("--references", help="file of references; none: the manifest's own column")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--store", action="store_true", help="keep the result")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sides, recordings = compare(arguments, Path(folder))
    print("| audio tokens | WER (95 %) | CER | x realtime of recognition |\n| --- | --- | --- | --- |")
    for mode, side in sides.items():
        low, high = side.interval_percent or (float("nan"), float("nan"))
        rate = f"{side.wer_percent:.2f} % ({low:.2f} to {high:.2f})"
        print(f"| {mode} | {rate} | {side.cer_percent:.2f} % | {side.speech_per_s:,.1f} |")
    if arguments.store:
        content = {
            "machine": describe_machine(),
            "model": arguments.model,
            "set": Path(arguments.manifest).name,
            "recordings": recordings,
            "modes": {mode: asdict(side) for mode, side in sides.items()},
        }
        RESULT.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def compare(arguments: argparse.Namespace, work: Path) -> tuple[dict[str, Side], int]:
    """Both modes, in turns; and how many recordings were compared."""
    metrics: dict[str, list[dict[str, Any]]] = {mode: [] for mode in MODES}
    for repeat in range(arguments.repeats):
        for mode in MODES if repeat % 2 == 0 else reversed(MODES):
            metrics[mode].append(transcribe(arguments, mode, work / f"{mode}-{repeat}"))
    rates = {mode: evaluate(work / f"{mode}-0", arguments.references) for mode in MODES}
    return {mode: _side(rates[mode], metrics[mode]) for mode in MODES}, int(rates["low"]["recordings"])


def transcribe(arguments: argparse.Namespace, mode: str, output: Path) -> dict[str, Any]:
    """One run of the pipeline; gives its metrics."""
    command = ["transcribe", arguments.manifest, "--output", str(output), "--model", arguments.model]
    command += ["--device", arguments.device, "--set", f"recognition.audio_tokens={mode}", "--max-failed", "100%"]
    with contextlib.redirect_stdout(io.StringIO()):
        code = funasr_beam(command)
    if code != 0:
        raise SystemExit(code)
    found: dict[str, Any] = json.loads(next(output.glob("runs/*/metrics.json")).read_text(encoding="utf-8"))
    return found


def evaluate(output: Path, references: str | None) -> dict[str, Any]:
    """The error rates of an output."""
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        code = funasr_beam(["evaluate", str(output), "--json", *(["--references", references] if references else [])])
    if code != 0:
        raise SystemExit(code)
    found: dict[str, Any] = json.loads(told.getvalue())
    return found


def _side(rates: dict[str, Any], metrics: list[dict[str, Any]]) -> Side:
    words, characters = rates["errors"]["words"], rates["errors"]["characters"]
    seconds = [run["stage_seconds"]["recognize_s"] for run in metrics]
    interval = words["interval"]
    return Side(
        wer_percent=100 * words["rate"],
        cer_percent=100 * characters["rate"],
        interval_percent=(100 * interval[0], 100 * interval[1]) if interval else None,
        recognize_s=seconds,
        speech_per_s=3600 * metrics[0]["speech_hours"] / statistics.median(seconds),
    )


if __name__ == "__main__":
    main()
