"""What a training run is: the shape of the model and the stages it goes through, as plain typed values."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

StageName = Literal["encoder", "language", "adaptor", "listen"]
STAGES: tuple[StageName, ...] = ("encoder", "language", "adaptor", "listen")


@dataclass(frozen=True)
class ModelShape:
    """Sizes of the three parts of a Fun-ASR-Nano model and of its CTC head."""

    encoder_size: int = 256
    encoder_heads: int = 4
    encoder_feed_forward: int = 768
    encoder_layers: int = 7
    timestamp_layers: int = 2
    encoder_dropout: float = 0.0
    adaptor_layers: int = 1
    adaptor_heads: int = 4
    projector_size: int = 512
    language_size: int = 256
    language_layers: int = 4
    language_feed_forward: int = 512
    language_heads: int = 4
    language_kv_heads: int = 4
    language_head_size: int = 64
    ctc_size: int = 256
    ctc_layers: int = 1


@dataclass(frozen=True)
class Schedule:
    """How long a stage runs and how fast it learns.

    Attributes:
        steps: optimizer steps from start to end.
        minutes: ends the stage earlier, and shrinks the learning rate in time; None: steps alone count.
        learning_rate: peak.
        warmup_steps: steps of linear warm-up.
        final_share: share of the peak that is left at the end of the cosine.
        batch_frames: padded frames of a batch.
        weight_decay: of AdamW.
    """

    steps: int
    minutes: float | None = None
    learning_rate: float = 1e-3
    warmup_steps: int = 200
    final_share: float = 0.05
    batch_frames: int = 3200
    weight_decay: float = 0.01

    def scaled(self, share: float) -> Schedule:
        """The same stage in a share of its minutes."""
        return self if self.minutes is None else replace(self, minutes=self.minutes * share)


@dataclass(frozen=True)
class TrainingConfig:
    """A whole run.

    Attributes:
        name: of the checkpoint.
        shape: of the model.
        encoder: CTC and frame labels on the encoder and the CTC head.
        language: the language model learns to copy from simulated audio.
        adaptor: the adaptor learns to put words where the language model expects them.
        listen: everything together.
        longest_segment_s: what the checkpoint declares.
        seed: of weights, batches and augmentation.
    """

    name: str
    shape: ModelShape = field(default_factory=ModelShape)
    encoder: Schedule = field(default_factory=lambda: Schedule(steps=3000, learning_rate=1.5e-3))
    language: Schedule = field(default_factory=lambda: Schedule(steps=3000))
    adaptor: Schedule = field(default_factory=lambda: Schedule(steps=500))
    listen: Schedule = field(default_factory=lambda: Schedule(steps=3000))
    longest_segment_s: float = 12.0
    seed: int = 0

    def schedule(self, stage: StageName) -> Schedule:
        """The schedule of a stage."""
        return {"encoder": self.encoder, "language": self.language, "adaptor": self.adaptor, "listen": self.listen}[
            stage
        ]

    @property
    def minutes(self) -> float:
        """Minutes of all stages that have a limit."""
        return sum(self.schedule(stage).minutes or 0.0 for stage in STAGES)

    def within(self, minutes: float) -> TrainingConfig:
        """The same run in so many minutes, shared out as here."""
        share = minutes / self.minutes
        return replace(
            self,
            encoder=self.encoder.scaled(share),
            language=self.language.scaled(share),
            adaptor=self.adaptor.scaled(share),
            listen=self.listen.scaled(share),
        )
