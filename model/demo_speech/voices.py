"""The voices: espeak-ng variants that training hears, and others that it never does."""

from __future__ import annotations

from random import Random

from funasr_beam.model.demo_speech.espeak import Voice
from funasr_beam.model.demo_speech.sentences import Language, Split

BASES: dict[Language, tuple[str, ...]] = {
    "en": ("en-us", "en-us", "en", "en-gb-x-rp"),
    "zh": ("cmn-latn-pinyin",),
}
VARIANTS: dict[Split, tuple[str, ...]] = {
    "train": [
        "m1",
        "m2",
        "m3",
        "m4",
        "m5",
        "m7",
        "m8",
        "f1",
        "f2",
        "f3",
        "f4",
        "Alex",
        "Andrea",
        "Andy",
        "Annie",
        "Denis",
        "Diogo",
        "Gene",
        "Henrique",
        "Jacky",
        "Lee",
        "Marco",
        "Michael",
        "Mike",
        "adam",
        "anika",
        "antonio",
        "belinda",
        "benjamin",
        "boris",
        "caleb",
        "david",
        "ed",
        "iven",
        "john",
        "linda",
        "marcelo",
        "michel",
        "miguel",
        "norbert",
        "pablo",
        "paul",
        "pedro",
        "quincy",
        "rob",
        "robert",
        "sandro",
        "shelby",
        "steph",
        "travis",
        "victor",
        "zac",
    ],  # type: ignore[dict-item]
    "heldout": ("m6", "f5", "Alicia", "max", "Hugo", "steph3", "edward"),
}
RATES = (120, 215)
PITCHES = (25, 75)


def draw_voice(random: Random, language: Language, split: Split = "train") -> Voice:
    """A voice of the split, with a rate and a pitch of its own."""
    name = f"{random.choice(BASES[language])}+{random.choice(VARIANTS[split])}"
    return Voice(name, random.randint(*RATES), random.randint(*PITCHES))
