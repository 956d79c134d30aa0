"""Ready-made training runs by name."""

from __future__ import annotations

from dataclasses import dataclass

from funasr_beam.model.demo_speech.corpus import CorpusRecipe
from funasr_beam.model.training.config import Schedule, TrainingConfig


@dataclass(frozen=True)
class Preset:
    """A run that makes its own corpus."""

    corpus: CorpusRecipe
    training: TrainingConfig


DEMO = Preset(
    corpus=CorpusRecipe(hours=40.0, longest_s=12.0),
    training=TrainingConfig(
        name="demo",
        encoder=Schedule(steps=2500, minutes=30, learning_rate=1.5e-3, warmup_steps=100),
        language=Schedule(steps=1500, minutes=12, learning_rate=1e-3, warmup_steps=100, batch_frames=2000),
        adaptor=Schedule(steps=300, minutes=4, learning_rate=2e-3, warmup_steps=50),
        listen=Schedule(steps=6000, minutes=60, learning_rate=1e-3, warmup_steps=100, batch_frames=2600),
        longest_segment_s=12.0,
    ),
)
PRESETS = {"demo": DEMO}
