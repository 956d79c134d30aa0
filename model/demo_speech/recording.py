"""Whole recordings: sentences with pauses, one or two speakers, sent through a channel, with the time of every word.

`render(recipe, seed)` is the entry: the same recipe and seed give the same samples on every machine with the same
espeak-ng.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import Random

import numpy as np
import soxr
from pypinyin import Style, lazy_pinyin

from funasr_beam.model.demo_speech import channel as channels
from funasr_beam.model.demo_speech.channel import SAMPLE_RATE, Channel, Samples
from funasr_beam.model.demo_speech.espeak import Voice, speak, start_afresh
from funasr_beam.model.demo_speech.sentences import Language, Split, sentence, words_of
from funasr_beam.model.demo_speech.voices import draw_voice


@dataclass(frozen=True)
class TimedWord:
    """A word (Mandarin: a character) and when it is spoken, in seconds from the start of the recording."""

    word: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Turn:
    """One sentence of a recording: who says it (0 or 1), the text and its words."""

    speaker: int
    text: str
    words: tuple[TimedWord, ...]


@dataclass(frozen=True)
class SyntheticRecording:
    """A rendered recording: `samples` float32 mono at 16 kHz in [-1, 1], or (samples, 2) with a speaker a channel."""

    language: Language
    samples: Samples
    turns: tuple[Turn, ...]

    @property
    def duration_s(self) -> float:
        """Length of the recording in seconds."""
        return len(self.samples) / SAMPLE_RATE

    @property
    def text(self) -> str:
        """The whole text, the sentences in order."""
        return (" " if self.language == "en" else "").join(turn.text for turn in self.turns)

    @property
    def words(self) -> list[TimedWord]:
        """Every word of the recording in order."""
        return [word for turn in self.turns for word in turn.words]


@dataclass(frozen=True)
class Recipe:
    """What to render: so many sentences, or fewer where one more would take the recording over `longest_s`.

    Attributes:
        language: of every sentence.
        split: "train" or "heldout", of the texts and of the voices.
        sentences: how many, at most.
        longest_s: length that is not exceeded, unless the first sentence alone does.
        pause_s: shortest and longest pause between sentences.
        edge_s: shortest and longest silence before the first and after the last sentence.
        speakers: 1, or 2 who take turns.
        stereo: each speaker on a channel of their own (needs two).
        channel: the way to the file, applied to each audio channel.
        fragments: share of sentences that are cut to a part of their words, for training.
    """

    language: Language = "en"
    split: Split = "heldout"
    sentences: int = 4
    longest_s: float = 60.0
    pause_s: tuple[float, float] = (0.3, 1.5)
    edge_s: tuple[float, float] = (0.2, 0.6)
    speakers: int = 1
    stereo: bool = False
    channel: Channel = field(default_factory=Channel)
    fragments: float = 0.0

    def __post_init__(self) -> None:
        """Refuse a recipe that cannot be rendered."""
        if self.speakers not in (1, 2):
            raise ValueError(f"speakers = {self.speakers}: must be 1 or 2")
        if self.stereo and self.speakers != 2:
            raise ValueError("stereo = True: needs speakers = 2")


def render(recipe: Recipe, seed: int | str) -> SyntheticRecording:
    """The recording that the recipe and the seed describe: deterministic samples, texts and word times."""
    start_afresh()
    random = Random(f"{seed}/{recipe.language}/{recipe.split}")
    voices = [draw_voice(random, recipe.language, recipe.split) for _ in range(recipe.speakers)]
    position = random.uniform(*recipe.edge_s)
    placed: list[tuple[float, Samples, Turn]] = []
    for index in range(recipe.sentences):
        speaker = 0 if recipe.speakers == 1 else (index + random.randrange(2)) % 2
        spoken, turn = say(random, voices[speaker], recipe, speaker)
        if placed and position + len(spoken) / SAMPLE_RATE > recipe.longest_s - recipe.edge_s[0]:
            break
        placed.append((position, spoken, shift(turn, position)))
        position += len(spoken) / SAMPLE_RATE + random.uniform(*recipe.pause_s)
    last_s = placed[-1][0] + len(placed[-1][1]) / SAMPLE_RATE
    samples = mix(placed, last_s + random.uniform(*recipe.edge_s), recipe.stereo)
    return SyntheticRecording(
        recipe.language, arrive(samples, recipe.channel, random), tuple(turn for *_, turn in placed)
    )


def say(random: Random, voice: Voice, recipe: Recipe, speaker: int) -> tuple[Samples, Turn]:
    """A sentence of the recipe, spoken, on a clock that starts with it."""
    text = sentence(random, recipe.language, recipe.split)
    spoken, turn = say_text(text, recipe.language, voice)
    turn = replace(turn, speaker=speaker)
    if random.random() < recipe.fragments:
        return fragment(spoken, turn, recipe.language, random)
    return spoken, turn


def say_text(text: str, language: Language, voice: Voice) -> tuple[Samples, Turn]:
    """A given text, spoken at 16 kHz, with its words on a clock that starts with it."""
    words = words_of(text, language)
    spoken = speak(text if language == "en" else pinyin(text), voice)
    rate = spoken.sample_rate
    samples = soxr.resample(spoken.samples.astype(np.float32) / 32768, rate, SAMPLE_RATE)
    timed = [TimedWord(word, a / rate, b / rate) for word, (a, b) in zip(words, spoken.spans, strict=True)]
    return np.asarray(samples, dtype=np.float32), Turn(0, text, tuple(timed))


def pinyin(text: str) -> str:
    """The pinyin of a Mandarin text with tone numbers, one syllable a character (espeak-ng lacks most characters)."""
    return " ".join(lazy_pinyin(text, style=Style.TONE3, neutral_tone_with_five=True))


def fragment(spoken: Samples, turn: Turn, language: Language, random: Random) -> tuple[Samples, Turn]:
    """A run of the sentence's words, cut out at word boundaries."""
    count = len(turn.words)
    first = random.randrange(count)
    last = min(count, first + random.randint(1, max(1, count // 2)))
    words = turn.words[first:last]
    start_s, end_s = words[0].start_s, words[-1].end_s
    cut = spoken[round(start_s * SAMPLE_RATE) : round(end_s * SAMPLE_RATE)]
    text = (" " if language == "en" else "").join(word.word for word in words)
    return cut, shift(replace(turn, text=text, words=words), -start_s)


def shift(turn: Turn, by_s: float) -> Turn:
    """The turn later by some seconds."""
    return replace(turn, words=tuple(TimedWord(w.word, w.start_s + by_s, w.end_s + by_s) for w in turn.words))


def mix(placed: list[tuple[float, Samples, Turn]], duration_s: float, stereo: bool) -> Samples:
    """The sentences laid on silence: (samples,) or, in stereo, (samples, 2) with a channel for each speaker."""
    mixed = np.zeros((round(duration_s * SAMPLE_RATE) + 1, 2 if stereo else 1), dtype=np.float32)
    for start_s, spoken, turn in placed:
        begin = round(start_s * SAMPLE_RATE)
        end = min(begin + len(spoken), len(mixed))
        mixed[begin:end, turn.speaker if stereo else 0] += spoken[: end - begin]
    return mixed if stereo else mixed[:, 0]


def arrive(samples: Samples, channel: Channel, random: Random) -> Samples:
    """Each audio channel after its own way through the same kind of channel."""
    generator = np.random.default_rng(random.getrandbits(63))
    if samples.ndim == 1:
        return channels.apply_channel(samples, channel, generator)
    return np.stack([channels.apply_channel(column, channel, generator) for column in samples.T], axis=1)
