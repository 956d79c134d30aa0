"""A whole run on a tiny corpus: every stage, a checkpoint that the Auto classes load, and word times."""

import json
import wave
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForSpeechSeq2Seq, AutoProcessor

from funasr_beam.model.ctc_head import load_ctc_head
from funasr_beam.model.prompts import build_prompt
from funasr_beam.model.records import RecognitionOptions
from funasr_beam.model.training.config import STAGES, ModelShape, Schedule, TrainingConfig
from funasr_beam.model.training.finish import finish
from funasr_beam.model.training.parts import Workspace, make_parts
from funasr_beam.model.training.run import load_trained, prepare, train_stage

WORDS = {"en": ["five", "six", "seven"], "zh": list("五六七")}
SHORT = Schedule(steps=2, warmup_steps=1, batch_frames=400)
CONFIG = TrainingConfig(
    "tiny",
    shape=ModelShape(
        encoder_size=32,
        encoder_feed_forward=32,
        encoder_layers=3,
        timestamp_layers=1,
        projector_size=32,
        language_size=32,
        language_layers=4,
        language_feed_forward=32,
        language_head_size=8,
        ctc_size=16,
    ),
    encoder=SHORT,
    language=SHORT,
    adaptor=SHORT,
    listen=SHORT,
)


def write_corpus(folder: Path) -> None:
    """Beeps, half a second each, that stand for words."""
    folder.mkdir()
    random = np.random.default_rng(0)
    lines = []
    for index in range(12):
        language = ("en", "zh")[index % 2]
        words = [str(random.choice(WORDS[language])) for _ in range(3)]
        time = np.arange(1.5 * 16_000) / 16_000
        samples = 0.2 * np.sin(2 * np.pi * (300 + 200 * np.floor(time * 2)) * time)
        with wave.open(str(folder / f"{index}.wav"), "wb") as out:
            out.setparams((1, 2, 16_000, 0, "NONE", ""))
            out.writeframes((samples * 32767).astype("<i2").tobytes())
        times = [[word, 0.5 * place, 0.5 * place + 0.5] for place, word in enumerate(words)]
        text = (" " if language == "en" else "").join(words)
        lines.append({"audio": f"{index}.wav", "duration": 1.5, "language": language, "text": text, "words": times})
    (folder / "a.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("run")
    write_corpus(base / "corpus")
    space = Workspace(base / "corpus", base / "work")
    prepare(space, 1)
    for name in STAGES:
        train_stage(0, 1, base / "meeting", CONFIG, space, name)
    parts = make_parts(CONFIG, space)
    assert load_trained(parts, space) == 2
    finish(CONFIG, parts, base / "checkpoint", "beeps")
    return base / "checkpoint"


@pytest.mark.slow
def test_the_checkpoint_loads_offline_and_writes_text(checkpoint: Path) -> None:
    processor = AutoProcessor.from_pretrained(checkpoint)
    model = AutoModelForSpeechSeq2Seq.from_pretrained(checkpoint, dtype=torch.float32, attn_implementation="sdpa")
    prompt = build_prompt(RecognitionOptions(language="en"), itn=False)
    audio = np.sin(np.arange(16_000) / 5).astype(np.float32)
    inputs = processor(text=[prompt, prompt], audio=[audio, audio[:9_000]], padding=True)
    written = model.eval().generate(**inputs, max_new_tokens=3)
    assert written.shape[0] == 2
    single = processor(text=[prompt], audio=[audio[:9_000]], padding=True)
    alone = model.generate(**single, max_new_tokens=3)
    assert torch.equal(written[1, inputs["input_ids"].shape[1] :], alone[0, single["input_ids"].shape[1] :])


@pytest.mark.slow
def test_the_checkpoint_declares_what_it_is_and_has_a_head(checkpoint: Path) -> None:
    declared = json.loads((checkpoint / "funasr_beam.json").read_text())
    assert declared["audio_tokens"] == "all"
    assert declared["languages"] == ["en", "zh"]
    head = load_ctc_head(checkpoint)
    assert head is not None
    assert head.config.blank_id == head.config.vocab_size == len(AutoProcessor.from_pretrained(checkpoint).tokenizer)


@pytest.mark.slow
def test_words_without_times_can_be_trained_on(tmp_path: Path) -> None:
    write_corpus(tmp_path / "corpus")
    manifest = tmp_path / "corpus" / "a.jsonl"
    lines = [json.loads(line) for line in manifest.read_text().splitlines()]
    manifest.write_text("".join(json.dumps({**line, "words": []}) + "\n" for line in lines))
    space = Workspace(tmp_path / "corpus", tmp_path / "work")
    prepare(space, 1)
    train_stage(0, 1, tmp_path / "meeting", replace(CONFIG, encoder=SHORT), space, "encoder")
    assert space.state("encoder").exists()
