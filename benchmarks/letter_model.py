"""Train a tiny wav2vec2-style CTC model of English letters on synthetic speech, for benchmarks/alignment.py.

    python -m benchmarks.letter_model --output FOLDER [--minutes 8]

Wav2Vec2ForCTC of transformers, two convolutions of 10 and 20 ms and a few layers of 144; training sentences and voices
of funasr_beam.model.demo_speech. The first part has a loss on every frame, as that is quick; the rest has the CTC loss
alone, as the models that people align with, so that it marks single frames as they do. Run again to go on.
"""

import argparse
import json
import math
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import numpy as np
import torch
from torch import Tensor, nn
from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2ForCTC

from funasr_beam.model.demo_speech.channel import CLEAN
from funasr_beam.model.demo_speech.recording import Recipe, SyntheticRecording, render

LETTERS = "abcdefghijklmnopqrstuvwxyz'"
VOCABULARY = {"<pad>": 0, "<s>": 1, "</s>": 2, "<unk>": 3, "|": 4} | {x: i for i, x in enumerate(LETTERS, 5)}
CHANNELS, FRAME = 128, 320
BATCH_S = 60.0
FRAME_LOSS_SHARE = 0.6  # of the time


def main() -> int:
    """Train for a while and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=8.0)
    parser.add_argument("--utterances", type=int, default=2_000)
    parser.add_argument("--ctc-only", action="store_true", help="leave the loss on frames out from the beginning")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    torch.set_flush_denormal(True)
    model = load(arguments.output)
    recordings = [
        render(Recipe(sentences=1, split="train", channel=CLEAN), f"letters{i}") for i in range(arguments.utterances)
    ]
    print(
        f"{sum(item.duration_s for item in recordings) / 60:.0f} minutes of speech, "
        f"{sum(p.numel() for p in model.parameters()) / 1e6:.1f} M parameters",
        flush=True,
    )
    train(model, recordings, 60 * arguments.minutes, 0.0 if arguments.ctc_only else FRAME_LOSS_SHARE)
    save(model, arguments.output)
    return 0


def load(folder: Path) -> Wav2Vec2ForCTC:
    """The model as far as it was trained, or a new one whose first convolution hears pitch by pitch."""
    if (folder / "config.json").exists():
        return Wav2Vec2ForCTC.from_pretrained(folder)
    model = Wav2Vec2ForCTC(
        Wav2Vec2Config(
            vocab_size=len(VOCABULARY),
            hidden_size=144,
            num_hidden_layers=3,
            num_attention_heads=4,
            intermediate_size=432,
            conv_dim=(CHANNELS, 144),
            conv_kernel=(400, 3),
            conv_stride=(160, 2),
            conv_bias=True,
            feat_extract_norm="layer",
            do_stable_layer_norm=True,
            num_conv_pos_embeddings=32,
            num_conv_pos_embedding_groups=8,
            apply_spec_augment=False,
            hidden_dropout=0.0,
            attention_dropout=0.0,
            feat_proj_dropout=0.0,
            final_dropout=0.0,
            layerdrop=0.0,
            pad_token_id=0,
        )
    )
    with torch.no_grad():
        model.wav2vec2.feature_extractor.conv_layers[0].conv.weight.copy_(_filters())
    return model


def _filters() -> Tensor:
    """Windowed cosines and sines at mel-spaced frequencies, (channels, 1, 400)."""
    mel = np.linspace(2595 * math.log10(1 + 80 / 700), 2595 * math.log10(1 + 7000 / 700), CHANNELS // 2)
    hertz = 700 * (10 ** (mel / 2595) - 1)
    phase = 2 * np.pi * hertz[:, None] * (np.arange(400) - 200)[None, :] / 16_000
    window = np.hanning(400) / 20
    return torch.tensor(np.concatenate([np.cos(phase), np.sin(phase)]) * window, dtype=torch.float32)[:, None]


def train(model: Wav2Vec2ForCTC, recordings: list[SyntheticRecording], seconds: float, frame_share: float) -> None:
    """Batches of similar length in random order until the time is over."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)
    began, shown = time.monotonic(), list[float]()
    for step, batch in enumerate(_batches(recordings), 1):
        done = (time.monotonic() - began) / seconds
        if done >= 1:
            break
        rate = 1.5e-3 * min(1.0, step / 60) * (1 - done) ** 0.5
        for group in optimizer.param_groups:
            group["lr"] = max(rate, 5e-5)
        loss, name = _loss(model, batch, on_frames=done < frame_share)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        shown.append(float(loss.detach()))
        if step % 20 == 0:
            print(f"{time.monotonic() - began:5.0f} s, step {step}, {name} {np.mean(shown[-20:]):.3f}", flush=True)


def _batches(recordings: list[SyntheticRecording]) -> Iterator[list[SyntheticRecording]]:
    random = Random(time.monotonic_ns())
    ordered = sorted(recordings, key=lambda item: item.duration_s)
    size = max(1, int(BATCH_S / np.mean([item.duration_s for item in ordered])))
    groups = [ordered[start : start + size] for start in range(0, len(ordered), size)]
    while True:
        random.shuffle(groups)
        yield from groups


def _loss(model: Wav2Vec2ForCTC, batch: list[SyntheticRecording], *, on_frames: bool) -> tuple[Tensor, str]:
    waves = [torch.from_numpy((item.samples - item.samples.mean()) / (item.samples.std() + 1e-5)) for item in batch]
    mask = nn.utils.rnn.pad_sequence([torch.ones(len(wave), dtype=torch.long) for wave in waves], batch_first=True)
    logits = model(nn.utils.rnn.pad_sequence(waves, batch_first=True), attention_mask=mask).logits
    lengths = model._get_feat_extract_output_lengths(torch.tensor([len(wave) for wave in waves]))
    if on_frames:
        targets = torch.full(logits.shape[:2], -100)
        for row, (item, count) in enumerate(zip(batch, lengths.tolist(), strict=True)):
            targets[row, :count] = _frame_targets(item, count)
        return nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten()), "frames"
    tokens = [[VOCABULARY[x] for x in item.text.replace(" ", "|")] for item in batch]
    loss = nn.functional.ctc_loss(
        logits.log_softmax(-1).transpose(0, 1),
        torch.tensor([token for own in tokens for token in own]),
        lengths,
        torch.tensor([len(own) for own in tokens]),
        zero_infinity=True,
    )
    return loss, "CTC"


def _frame_targets(item: SyntheticRecording, count: int) -> Tensor:
    """A letter for each frame, those of a word in equal parts; silence is blank."""
    targets = torch.zeros(count, dtype=torch.long)
    for word in item.words:
        edges = np.linspace(word.start_s, word.end_s, len(word.word) + 1) * 16_000 / FRAME
        for letter, first, last in zip(word.word, edges, edges[1:], strict=False):
            targets[round(first) : max(round(last), round(first) + 1)] = VOCABULARY[letter]
    return targets


def save(model: Wav2Vec2ForCTC, folder: Path) -> None:
    """A folder that the aligner loads."""
    model.save_pretrained(folder)
    Wav2Vec2FeatureExtractor(return_attention_mask=True, do_normalize=True).save_pretrained(folder)
    (folder / "vocab.json").write_text(json.dumps(VOCABULARY), encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(main())
