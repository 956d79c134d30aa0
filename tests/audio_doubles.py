"""Sounds for tests of the recogniser: different from each other, and the same in every run."""

import numpy as np

from funasr_beam.model.recognizers.base import Utterance
from funasr_beam.model.records import SAMPLE_RATE, RecognitionOptions

OPTIONS = (
    RecognitionOptions(),
    RecognitionOptions("zh"),
    RecognitionOptions("en", hotwords=("开放时间", "Fun-ASR")),
    RecognitionOptions("ja", context="a call to the bank"),
    RecognitionOptions(None, ("one", "two"), "fox and dog"),
)


def sound(duration_s: float, seed: int) -> np.ndarray:
    """Three gliding tones in noise; (frames,) int16."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(duration_s * SAMPLE_RATE)) / SAMPLE_RATE
    tones = [np.sin(2 * np.pi * hz * time_s * (1 + 0.1 * np.sin(3 * time_s))) for hz in rng.uniform(100, 3000, 3)]
    noise = rng.normal(size=len(time_s))
    return (3000 * np.sum(tones, axis=0) + 300 * noise).astype(np.int16)


def mixed_utterances(count: int, longest_s: float = 6.0) -> list[Utterance]:
    """Utterances of many lengths, with all kinds of options, ITN on and off."""
    durations_s = np.random.default_rng(count).uniform(0.03, longest_s, count)
    return [
        Utterance(sound(duration_s, seed), OPTIONS[seed % len(OPTIONS)], itn=seed % 3 == 0)
        for seed, duration_s in enumerate(durations_s)
    ]
