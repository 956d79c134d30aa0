"""The checkpoint that ships: small, complete, and right about the samples."""

import json
import wave
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForSpeechSeq2Seq, AutoProcessor

from funasr_beam.model.alignment import align_words, split_words
from funasr_beam.model.ctc_head import load_ctc_head
from funasr_beam.model.prompts import build_prompt
from funasr_beam.model.records import RecognitionOptions
from funasr_beam.model.training.evaluate import error_rates

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "model" / "checkpoints" / "demo"
SAMPLE = "calls/en-mono.wav"
RATE, MARGIN_S = 16_000, 0.2

Sentence = tuple[str, np.ndarray, list[tuple[float, float]]]


@pytest.fixture(scope="module")
def sentences() -> list[Sentence]:
    """The sentences of a sample: text, sound with a margin, and the times of the words in it."""
    lines = map(json.loads, (ROOT / "samples" / "references.jsonl").read_text(encoding="utf-8").splitlines())
    turns = next(line["turns"] for line in lines if line["uri"] == SAMPLE)
    with wave.open(str(ROOT / "samples" / SAMPLE)) as audio:
        samples = np.frombuffer(audio.readframes(audio.getnframes()), "<i2").astype(np.float32) / 32768
    found = []
    for turn in turns:
        begin_s = max(turn["words"][0]["start_s"] - MARGIN_S, 0.0)
        end_s = turn["words"][-1]["end_s"] + MARGIN_S
        times = [(word["start_s"] - begin_s, word["end_s"] - begin_s) for word in turn["words"]]
        found.append((turn["text"], samples[round(begin_s * RATE) : round(end_s * RATE)], times))
    return found


def test_it_is_small_and_complete() -> None:
    size = sum(path.stat().st_size for path in FOLDER.glob("*.safetensors"))
    assert size <= 25_000_000
    assert (FOLDER / "README.md").exists()
    declared = json.loads((FOLDER / "funasr_beam.json").read_text())
    assert declared["longest_segment_s"] >= 10
    assert declared["languages"] == ["en", "zh"]


@pytest.mark.slow
@torch.inference_mode()
def test_it_writes_the_sentences_of_a_sample(sentences: list[Sentence]) -> None:
    processor = AutoProcessor.from_pretrained(FOLDER)
    model = AutoModelForSpeechSeq2Seq.from_pretrained(FOLDER, dtype=torch.float32, attn_implementation="sdpa").eval()
    prompt = build_prompt(RecognitionOptions(language="en"), itn=False)
    inputs = processor(text=[prompt] * len(sentences), audio=[sound for _, sound, _ in sentences], padding=True)
    written = model.generate(**inputs, max_new_tokens=60)[:, inputs["input_ids"].shape[1] :]
    texts = processor.tokenizer.batch_decode(written, skip_special_tokens=True)
    rows = [("all", "en", wanted, text) for (wanted, _, _), text in zip(sentences, texts, strict=True)]
    assert error_rates(rows)["all"] <= 10


@pytest.mark.slow
@torch.inference_mode()
def test_its_head_knows_when_the_words_were_said(sentences: list[Sentence]) -> None:
    head = load_ctc_head(FOLDER)
    assert head is not None
    processor = AutoProcessor.from_pretrained(FOLDER)
    model = AutoModelForSpeechSeq2Seq.from_pretrained(FOLDER, dtype=torch.float32, attn_implementation="sdpa").eval()
    errors = []
    for text, sound, known in sentences:
        features = processor.feature_extractor(sound, sampling_rate=RATE)
        mask = features["input_features_mask"]
        hidden = model.model.audio_tower(features["input_features"], mask).last_hidden_state
        words = [processor.tokenizer.encode(word, add_special_tokens=False) for word in split_words(text)]
        config = head.config
        times = align_words(
            head(hidden, mask)[0], words, config.blank_id, config.frame_s, config.offset_s, len(sound) / RATE
        )
        assert times is not None
        for time, (start_s, end_s) in zip(times, known, strict=True):
            errors += [abs(time.start_s - start_s), abs(time.end_s - end_s)]
    assert np.median(errors) <= 0.06
    assert np.percentile(errors, 95) <= 0.2
