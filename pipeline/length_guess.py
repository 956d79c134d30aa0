"""How long recordings are of which only the size is known."""

from dataclasses import dataclass

from funasr_beam.model.plan_files import UnitFacts
from funasr_beam.model.records import Seconds


@dataclass
class LengthGuess:
    """How long the files are that nobody has opened, learnt from those that are done.

    The plan goes by their size, as if all had 32 kbit/s: short WAV files are 8 times shorter than that.
    """

    guessed_s: Seconds = 0.0
    found_s: Seconds = 0.0

    def learn(self, unit: UnitFacts, found_s: Seconds) -> None:
        """A unit has turned out to be this long."""
        if unit.guessed_s > 0:
            self.guessed_s += unit.guessed_s
            self.found_s += max(found_s - (unit.audio_s - unit.guessed_s), 0.0)

    def corrected_s(self, audio_s: Seconds, guessed_s: Seconds) -> Seconds:
        """The likely length of what the plan says is `audio_s` long, `guessed_s` of it by a guess."""
        return audio_s + (self.found_s / self.guessed_s - 1.0) * guessed_s if self.found_s > 0 else audio_s

    def is_good_for(self, audio_s: Seconds, guessed_s: Seconds) -> bool:
        """Whether that length is worth telling: something was learnt, or most of it is no guess."""
        return self.found_s > 0 or guessed_s <= audio_s / 2
