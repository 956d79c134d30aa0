"""Score a checkpoint on held-out synthetic speech by direct model use: no VAD, no pipeline.

    python -m benchmarks.demo_checkpoint [--checkpoint FOLDER] [--count 150] [--store]

Sentences and voices are ones that training never had; recordings of several sentences with pauses, up to 12 s; clean,
and 8 kHz mu-law with noise at 15 dB. Prints error rates of language model and CTC head (English words, Mandarin
characters) and the errors of the word times of the forced alignment; `--store` keeps them in
benchmarks/results/demo_checkpoint.json.
"""

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModelForSpeechSeq2Seq, AutoProcessor

from benchmarks.hardware import describe_machine
from funasr_beam.model.alignment import align_words, split_words
from funasr_beam.model.ctc_head import load_ctc_head
from funasr_beam.model.demo_speech.channel import CLEAN, PHONE
from funasr_beam.model.demo_speech.recording import Recipe, SyntheticRecording, render
from funasr_beam.model.demo_speech.sentences import LANGUAGES, Language
from funasr_beam.model.prompts import build_prompt
from funasr_beam.model.records import RecognitionOptions
from funasr_beam.model.training.evaluate import error_rates

CHECKPOINT = Path(__file__).parent.parent / "model" / "checkpoints" / "demo"
RESULT = Path(__file__).parent / "results" / "demo_checkpoint.json"
CHANNELS = {"clean": CLEAN, "phone": PHONE}
BATCH = 10


@dataclass(frozen=True)
class Score:
    """One line of the result; rates in percent, times in milliseconds."""

    recordings: int
    audio_s: float
    llm_errors: float
    ctc_errors: float
    start_median_ms: float
    start_p95_ms: float
    end_median_ms: float
    end_p95_ms: float


class Scorer:
    """A checkpoint, loaded, with what it needs to be scored."""

    def __init__(self, folder: Path) -> None:
        head = load_ctc_head(folder)
        if head is None:
            raise SystemExit(f"{folder} has no CTC head")
        self.head = head
        self.processor = AutoProcessor.from_pretrained(folder)
        self.model = AutoModelForSpeechSeq2Seq.from_pretrained(folder, dtype=torch.float32, attn_implementation="sdpa")
        self.model.eval()

    @torch.inference_mode()
    def hear(self, recordings: Sequence[SyntheticRecording]) -> tuple[list[str], list[str], list[tuple[float, float]]]:
        """Texts of the language model, texts of the CTC head, and (start, end) errors in seconds of the known words."""
        prompt = build_prompt(RecognitionOptions(language=recordings[0].language), itn=False)
        audio = [recording.samples for recording in recordings]
        inputs = self.processor(text=[prompt] * len(audio), audio=audio, padding=True)
        written = self.model.generate(**inputs, max_new_tokens=100, do_sample=False)
        texts = self.processor.tokenizer.batch_decode(
            written[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True
        )
        mask = inputs["input_features_mask"]
        hidden = self.model.model.audio_tower(inputs["input_features"], mask).last_hidden_state
        scores = [row[: int(count)] for row, count in zip(self.head(hidden, mask), mask.sum(1), strict=True)]
        errors = [pair for row, item in zip(scores, recordings, strict=True) for pair in self._time_errors(row, item)]
        return texts, [self._greedy(row) for row in scores], errors

    def _greedy(self, scores: torch.Tensor) -> str:
        tokens = torch.unique_consecutive(scores.argmax(-1))
        kept = tokens[tokens != self.head.config.blank_id].tolist()
        return str(self.processor.tokenizer.decode(kept, skip_special_tokens=True))

    def _time_errors(self, scores: torch.Tensor, recording: SyntheticRecording) -> list[tuple[float, float]]:
        encode = self.processor.tokenizer.encode
        words = [encode(word, add_special_tokens=False) for word in split_words(recording.text)]
        config = self.head.config
        times = align_words(scores, words, config.blank_id, config.frame_s, config.offset_s, recording.duration_s)
        pairs = zip(times or [], recording.words, strict=False)
        return [(time.start_s - known.start_s, time.end_s - known.end_s) for time, known in pairs]


def main() -> int:
    """Score every language and channel, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, default=CHECKPOINT)
    parser.add_argument("--count", type=int, default=150, help="recordings of each language and channel")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--store", action="store_true", help="keep the result")
    parser.add_argument("--show", type=int, default=0, help="errors to show for each set")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    scorer = Scorer(arguments.checkpoint)
    begun_s = time.monotonic()
    scores = {
        f"{language}-{channel}": score(scorer, language, channel, arguments.count, arguments.show)
        for language in LANGUAGES
        for channel in CHANNELS
    }
    print(table(scores))
    print(f"{time.monotonic() - begun_s:.0f} s")
    if arguments.store:
        content = {"machine": describe_machine(), "scores": {name: asdict(item) for name, item in scores.items()}}
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return 0


def held_out(language: Language, channel: str, count: int) -> list[SyntheticRecording]:
    """Recordings of two to five sentences, one or two speakers."""
    return [
        render(
            Recipe(
                language=language,
                sentences=2 + index % 4,
                longest_s=12.0,
                pause_s=(0.3, 1.0),
                edge_s=(0.2, 0.4),
                speakers=1 + index % 2,
                channel=CHANNELS[channel],
            ),
            f"{channel}{index}",
        )
        for index in range(count)
    ]


def score(scorer: Scorer, language: Language, channel: str, count: int, show: int = 0) -> Score:
    """The line of one language and channel."""
    recordings = sorted(held_out(language, channel, count), key=lambda recording: recording.duration_s)
    texts: list[str] = []
    greedy: list[str] = []
    errors: list[tuple[float, float]] = []
    for start in range(0, len(recordings), BATCH):
        more = scorer.hear(recordings[start : start + BATCH])
        texts, greedy, errors = texts + more[0], greedy + more[1], errors + more[2]
    wrong = [(item.text, text) for item, text in zip(recordings, texts, strict=True) if item.text != text]
    for wanted, got in wrong[:show]:
        print(f"  wanted {wanted}\n  got    {got}")
    milliseconds = 1000 * np.abs(np.array(errors))
    median, high = np.percentile(milliseconds, [50, 95], axis=0)
    return Score(
        recordings=count,
        audio_s=round(sum(item.duration_s for item in recordings), 1),
        llm_errors=error_rate(recordings, texts),
        ctc_errors=error_rate(recordings, greedy),
        start_median_ms=round(float(median[0]), 1),
        start_p95_ms=round(float(high[0]), 1),
        end_median_ms=round(float(median[1]), 1),
        end_p95_ms=round(float(high[1]), 1),
    )


def error_rate(recordings: Sequence[SyntheticRecording], texts: Sequence[str]) -> float:
    """Percent of all words (English) and characters (Mandarin)."""
    rows = [("all", item.language, item.text, text) for item, text in zip(recordings, texts, strict=True)]
    return error_rates(rows)["all"]


def table(scores: dict[str, Score]) -> str:
    """The scores as a Markdown table."""
    lines = [
        "| set | recordings | LLM % | CTC % | start ms (p95) | end ms (p95) |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, item in scores.items():
        start = f"{item.start_median_ms:.0f} ({item.start_p95_ms:.0f})"
        end = f"{item.end_median_ms:.0f} ({item.end_p95_ms:.0f})"
        lines.append(f"| {name} | {item.recordings} | {item.llm_errors} | {item.ctc_errors} | {start} | {end} |")
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
