"""Clips in which nobody speaks: silence, tones, hold music, noise, DTMF, ringing; each from a seed."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16_000
Samples = NDArray[np.float64]

_DTMF_ROWS_HZ = (697.0, 770.0, 852.0, 941.0)
_DTMF_COLUMNS_HZ = (1209.0, 1336.0, 1477.0, 1633.0)
_RINGING = (  # tones in Hz, seconds on, seconds off, on, off
    ((440.0, 480.0), (2.0, 4.0)),  # North America
    ((425.0,), (1.0, 4.0)),  # most of Europe and China
    ((400.0, 450.0), (0.4, 0.2, 0.4, 2.0)),  # United Kingdom
    ((480.0, 620.0), (0.5, 0.5)),  # busy
    ((425.0,), (0.35, 0.35)),  # busy, China
)
_SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 2, 4, 7, 9))


@dataclass(frozen=True)
class Clip:
    """What is in the file and how it is named."""

    kind: str
    name: str
    samples: Samples  # float64 mono at 16 kHz in [-1, 1]


def make_clips(count: int = 200) -> list[Clip]:
    """So many clips, the kinds in turn, 4 to 20 s long, at levels from -45 to -6 dBFS."""
    kinds = list(KINDS)
    clips = []
    for number in range(count):
        kind = kinds[number % len(kinds)]
        rng = np.random.default_rng([number, 20_261])
        raw = KINDS[kind](rng, rng.uniform(4.0, 20.0))
        clips.append(Clip(kind, f"{kind}-{number:03d}", _at_level(raw, rng)))
    return clips


def silence(rng: np.random.Generator, duration_s: float) -> Samples:
    """Digital silence, the last bit, or a faint hiss."""
    level = rng.choice([0.0, 2.0**-15, 2.0**-12])
    return np.clip(rng.normal(0.0, level, _frames(duration_s)), -0.5, 0.5)


def tone(rng: np.random.Generator, duration_s: float) -> Samples:
    """One to three steady, stepping or sweeping tones."""
    time_s = _clock(duration_s)
    mixed = np.zeros_like(time_s)
    for _ in range(rng.integers(1, 4)):
        start_hz, end_hz = rng.uniform(100, 3500, 2)
        match rng.integers(3):
            case 0:
                hz = np.full_like(time_s, start_hz)
            case 1:
                hz = np.linspace(start_hz, end_hz, len(time_s))
            case _:
                hz = np.where((time_s % 1.0) < rng.uniform(0.2, 0.8), start_hz, end_hz)
        mixed += np.sin(2 * np.pi * np.cumsum(hz) / SAMPLE_RATE)
    return mixed


def hold_music(rng: np.random.Generator, duration_s: float) -> Samples:
    """Plucked chords and a melody on a scale, with a beat; half of them as an 8 kHz telephone would pass them on."""
    beat_s = 60.0 / rng.uniform(70, 140)
    scale = _SCALES[rng.integers(len(_SCALES))]
    root = rng.integers(45, 60)
    music = np.zeros(_frames(duration_s))
    for beat in range(int(duration_s / beat_s)):
        start = round(beat * beat_s * SAMPLE_RATE)
        if beat % 4 == 0:
            degree = rng.integers(len(scale))
            for third in (0, 2, 4):
                _add(music, start, _note(rng, root + _pitch(scale, degree + third), 4 * beat_s, 0.5))
        if rng.random() < 0.75:
            _add(music, start, _note(rng, root + 12 + _pitch(scale, rng.integers(10)), beat_s * rng.choice([1, 2]), 1))
        _add(music, start, _drum(rng, beat))
    return _telephone(music) if rng.random() < 0.5 else music


def noise(rng: np.random.Generator, duration_s: float) -> Samples:
    """White, pink or brown noise, steady, in gusts, or as clicks."""
    frames = _frames(duration_s)
    spectrum = np.fft.rfft(rng.normal(size=frames))
    bins = np.maximum(np.arange(len(spectrum)), frames * 50 / SAMPLE_RATE)
    shaped = np.fft.irfft(spectrum / bins ** rng.choice([0.0, 0.5, 1.0]), frames)
    match rng.integers(3):
        case 0:
            envelope = np.ones(frames)
        case 1:
            knots = rng.uniform(0.02, 1.0, max(2, int(duration_s * rng.uniform(0.5, 4))))
            envelope = np.interp(np.linspace(0, 1, frames), np.linspace(0, 1, len(knots)), knots)
        case _:
            clicks = (rng.random(frames) < 5 / SAMPLE_RATE).astype(float)
            envelope = 0.01 + np.convolve(clicks, np.exp(-np.arange(1600) / 200), "same")
    return shaped * envelope


def dtmf(rng: np.random.Generator, duration_s: float) -> Samples:
    """Keys of a telephone, 60 to 300 ms each, between pauses."""
    keys = np.zeros(_frames(duration_s))
    at_s = rng.uniform(0, 0.5)
    while at_s < duration_s:
        length_s = rng.uniform(0.06, 0.3)
        time_s = _clock(length_s)
        pair = (rng.choice(_DTMF_ROWS_HZ), rng.choice(_DTMF_COLUMNS_HZ))
        _add(keys, round(at_s * SAMPLE_RATE), sum(np.sin(2 * np.pi * hz * time_s) for hz in pair))
        at_s += length_s + rng.uniform(0.05, 0.8)
    return keys + rng.normal(0, 0.003, len(keys))


def ringing(rng: np.random.Generator, duration_s: float) -> Samples:
    """Ringing and busy tones of several countries."""
    tones_hz, cadence_s = _RINGING[rng.integers(len(_RINGING))]
    time_s = _clock(duration_s) + rng.uniform(0, sum(cadence_s))
    edges = np.cumsum(cadence_s)
    is_on = np.searchsorted(edges, time_s % edges[-1], side="right") % 2 == 0
    sound: Samples = sum(np.sin(2 * np.pi * hz * time_s) for hz in tones_hz) * is_on
    return sound + rng.normal(0, 0.003, len(sound))


KINDS: dict[str, Callable[[np.random.Generator, float], Samples]] = {
    "silence": silence,
    "tone": tone,
    "hold_music": hold_music,
    "noise": noise,
    "dtmf": dtmf,
    "ringing": ringing,
}


def _at_level(raw: Samples, rng: np.random.Generator) -> Samples:
    peak = float(np.abs(raw).max())
    if peak < 2.0**-9:  # silence keeps its level
        return raw
    return raw / peak * 10 ** (rng.uniform(-45, -6) / 20)


def _note(rng: np.random.Generator, pitch: int, length_s: float, loudness: float) -> Samples:
    """A plucked or bowed note with six harmonics."""
    hz = 440 * 2 ** ((pitch - 69) / 12)
    time_s = _clock(length_s)
    decay = np.exp(-time_s * rng.uniform(1, 6))
    vibrato = 1 + 0.003 * np.sin(2 * np.pi * 5 * time_s)
    harmonics = [np.sin(2 * np.pi * hz * k * time_s * vibrato) / k for k in range(1, 7)]
    return loudness * decay * np.sum(harmonics, axis=0)


def _drum(rng: np.random.Generator, beat: int) -> Samples:
    time_s = _clock(0.15)
    if beat % 2 == 0:
        return np.sin(2 * np.pi * 70 * time_s) * np.exp(-time_s * 25)
    return 0.4 * rng.normal(size=len(time_s)) * np.exp(-time_s * 40)


def _pitch(scale: tuple[int, ...], degree: int) -> int:
    return 12 * (degree // len(scale)) + scale[degree % len(scale)]


def _telephone(samples: Samples) -> Samples:
    """The band from 300 to 3,400 Hz."""
    spectrum = np.fft.rfft(samples)
    hz = np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE)
    return np.fft.irfft(spectrum * ((hz > 300) & (hz < 3400)), len(samples))


def _add(canvas: Samples, start: int, sound: Samples) -> None:
    room = canvas[start : start + len(sound)]
    room += sound[: len(room)]


def _clock(duration_s: float) -> Samples:
    return np.arange(_frames(duration_s)) / SAMPLE_RATE


def _frames(duration_s: float) -> int:
    return round(duration_s * SAMPLE_RATE)
