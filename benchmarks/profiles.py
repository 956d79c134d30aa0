"""Synthetic corpora: segments as long as those of calls and of podcasts, and as much text in them as in speech."""

from collections.abc import Sequence
from random import Random

import numpy as np

from funasr_beam.model.recognizers.base import Utterance
from funasr_beam.model.records import SAMPLE_RATE, RecognitionOptions, Samples, Seconds

PROFILES: dict[str, tuple[tuple[Seconds, Seconds], ...]] = {
    "calls": ((2.0, 15.0),),
    "podcasts": ((20.0, 30.0),),
    "mixed": ((2.0, 15.0), (20.0, 30.0)),  # as many of the one kind as of the other
    "30 s": ((30.0, 30.0),),
}
"""From where to where the lengths of segments go, evenly."""

TOKENS_PER_S = 4.5
"""Of real speech. Random weights never end a text, so that each is as long as its budget."""

_TRACK_S = 120.0


def durations(name: str, hours: float, seed: int = 0) -> list[Seconds]:
    """Lengths of segments until they make so many hours; the same seed gives the same ones."""
    random, found = Random(f"{name} {seed}"), list[Seconds]()
    while sum(found) < hours * 3600:
        found.append(random.uniform(*random.choice(PROFILES[name])))
    return found


def utterances(lengths: Sequence[Seconds], seed: int = 0, *, itn: bool = True) -> list[Utterance]:
    """Something like speech of each length: no two hear the same."""
    rng = np.random.default_rng(seed)
    track = _track(rng)
    cuts = [_cut(track, length, rng) for length in lengths]
    return [Utterance(samples, RecognitionOptions(), itn) for samples in cuts]


def text_tokens(duration_s: Seconds) -> int:
    """How many tokens the text of so much audio has."""
    return round(TOKENS_PER_S * duration_s)


def _track(rng: np.random.Generator) -> Samples:
    """Two minutes of gliding harmonics in noise, four syllables a second."""
    time_s = np.arange(round(_TRACK_S * SAMPLE_RATE)) / SAMPLE_RATE
    pitch = 140 + 40 * np.sin(2 * np.pi * 0.31 * time_s) + 25 * np.sin(2 * np.pi * 1.7 * time_s)
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE
    voice = sum(np.sin(k * phase + rng.uniform(0, 6)) / k for k in (1, 2, 3, 5, 8, 13))
    syllables = np.clip(np.sin(2 * np.pi * 4 * time_s + 3 * np.sin(time_s)), 0, 1)
    return (4000 * voice * syllables + 200 * rng.normal(size=len(time_s))).astype(np.int16)


def _cut(track: Samples, length: Seconds, rng: np.random.Generator) -> Samples:
    frames = round(length * SAMPLE_RATE)
    start = int(rng.integers(len(track) - frames))
    return (track[start : start + frames] * rng.uniform(0.3, 1.0)).astype(np.int16)
