"""The CTC head that sits beside a Fun-ASR-Nano encoder and gives its words their times.

The layout is upstream's: `ctc_decoder.*` is built like the checkpoint's multimodal projector, `ctc.ctc_lo` projects to
the vocabulary and the blank. A checkpoint folder with a head holds `ctc_head.safetensors` and `ctc_head.json`.

Source: FunASR `fun_asr_nano` (`ctc_decoder`, `ctc.ctc_lo`).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import SimpleNamespace

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers.models.fun_asr_nano.configuration_fun_asr_nano import FunAsrNanoAdaptorConfig
from transformers.models.fun_asr_nano.modeling_fun_asr_nano import FunAsrNanoMultiModalProjector

from funasr_beam.model.products import use_quick_linears

WEIGHTS_NAME = "ctc_head.safetensors"
CONFIG_NAME = "ctc_head.json"

_SCORED_FRAMES = 128  # at once: 31 MB of scores, of which few are kept


class CtcHeadError(ValueError):
    """A CTC head that is there but cannot be used: incomplete, malformed or untrained."""


@dataclass(frozen=True)
class CtcHeadConfig:
    """What a CTC head is and how its frames become seconds.

    Attributes:
        encoder_size: width of the encoder output it reads.
        vocab_size: number of tokens, the blank not counted.
        blank_id: id of the blank; upstream puts it last.
        hidden_size: width of its decoder.
        num_heads: attention heads of a decoder layer.
        num_layers: decoder layers.
        projector_size: inner width of the projection into the decoder.
        layer_norm_eps: of the decoder layers.
        tokenizer: "own": ids are those of the checkpoint's tokenizer; else the name of the file that holds the tokens.
        frame_s: seconds a frame stands for.
        offset_s: what to add to `frame * frame_s` to get the time at which that frame begins (measured on known times).
        trained: whether the weights have been trained; an untrained head invents times and is never loaded.
    """

    encoder_size: int
    vocab_size: int
    blank_id: int
    hidden_size: int = 256
    num_heads: int = 4
    num_layers: int = 1
    projector_size: int = 256
    layer_norm_eps: float = 1e-12
    tokenizer: str = "own"
    frame_s: float = 0.06
    offset_s: float = 0.0
    trained: bool = False

    @classmethod
    def from_json(cls, text: str) -> CtcHeadConfig:
        """The configuration a `ctc_head.json` holds.

        Raises:
            CtcHeadError: not an object, or with unknown or missing keys.
        """
        try:
            values = json.loads(text)
        except json.JSONDecodeError as error:
            raise CtcHeadError(f"{CONFIG_NAME} is not JSON: {error}") from error
        known = {field.name for field in fields(cls)}
        if not isinstance(values, dict) or set(values) - known:
            raise CtcHeadError(f"{CONFIG_NAME} has unknown keys; known: {', '.join(sorted(known))}")
        try:
            return cls(**values)
        except TypeError as error:
            raise CtcHeadError(f"{CONFIG_NAME} is incomplete: {error}") from error


class CtcHead(nn.Module):
    """Log-probabilities of tokens and blank for each encoder frame."""

    def __init__(self, config: CtcHeadConfig) -> None:
        super().__init__()
        self.config = config
        self.ctc_decoder = FunAsrNanoMultiModalProjector(_projector_config(config))
        self.ctc = nn.ModuleDict({"ctc_lo": nn.Linear(config.hidden_size, config.vocab_size + 1)})

    def forward(self, encoder_hidden: Tensor, mask: Tensor) -> Tensor:
        """Score every frame of a batch.

        Args:
            encoder_hidden: (batch, frames, encoder_size), the encoder's last hidden state.
            mask: (batch, frames), 1 for frames and 0 for padding.

        Returns:
            (batch, frames, vocab_size + 1) log-probabilities in float32.
        """
        logits: Tensor = self.ctc["ctc_lo"](self.decode(encoder_hidden, mask))
        return logits.float().log_softmax(-1)

    def decode(self, encoder_hidden: Tensor, mask: Tensor) -> Tensor:
        """What the scores are made of: (batch, frames, hidden_size). Small, where 60,000 scores for a frame are not."""
        hidden: Tensor = self.ctc_decoder(encoder_hidden.to(self.ctc_decoder.linear_1.weight.dtype), mask)
        return hidden

    def score(self, decoded: Tensor, tokens: Tensor) -> Tensor:
        """The log-probabilities of some tokens: (frames, tokens) float32 from one utterance's `decode`, unpadded."""
        return torch.cat([self._score(frames, tokens) for frames in torch.split(decoded, _SCORED_FRAMES)])

    def _score(self, decoded: Tensor, tokens: Tensor) -> Tensor:
        logits: Tensor = self.ctc["ctc_lo"](decoded).float()
        return logits[:, tokens] - logits.logsumexp(-1, keepdim=True)

    def save(self, folder: Path, dtype: torch.dtype = torch.float16) -> None:
        """Write weights and configuration into a checkpoint folder."""
        tensors = {name: value.detach().to(dtype).contiguous() for name, value in self.state_dict().items()}
        save_file(tensors, folder / WEIGHTS_NAME, metadata={"format": "pt"})
        (folder / CONFIG_NAME).write_text(json.dumps(asdict(self.config), indent=2) + "\n", encoding="utf-8")


def load_ctc_head(folder: Path, device: str = "cpu") -> CtcHead | None:
    """The head of a checkpoint folder in float32, ready to score; None where the folder has none.

    Raises:
        CtcHeadError: the head is incomplete, malformed or untrained.
    """
    weights, description = folder / WEIGHTS_NAME, folder / CONFIG_NAME
    if not weights.exists() and not description.exists():
        return None
    if not weights.exists() or not description.exists():
        raise CtcHeadError(f"{folder} has only one of {WEIGHTS_NAME} and {CONFIG_NAME}: the CTC head is incomplete")
    config = CtcHeadConfig.from_json(description.read_text(encoding="utf-8"))
    if not config.trained:
        raise CtcHeadError(f"{description} says trained = false: its times would be invented, so it is not loaded")
    head = CtcHead(config)
    _load_weights(head, weights)
    use_quick_linears(head)
    return head.float().to(device).eval()


def _load_weights(head: CtcHead, weights: Path) -> None:
    try:
        tensors = load_file(weights)
    except (SafetensorError, OSError) as error:
        raise CtcHeadError(f"{weights} is damaged: {error}") from error
    try:
        head.load_state_dict(tensors)
    except RuntimeError as error:
        raise CtcHeadError(f"{weights} does not fit {CONFIG_NAME}: {error}") from error


def _projector_config(config: CtcHeadConfig) -> SimpleNamespace:
    """What `FunAsrNanoMultiModalProjector` reads; sdpa is named because without it padding leaks into shorter items."""
    adaptor = FunAsrNanoAdaptorConfig(
        hidden_size=config.hidden_size,
        intermediate_size=config.hidden_size // 4,
        num_attention_heads=config.num_heads,
        num_hidden_layers=config.num_layers,
        projector_hidden_size=config.projector_size,
        layer_norm_eps=config.layer_norm_eps,
    )
    adaptor._attn_implementation = "sdpa"
    return SimpleNamespace(audio_config=SimpleNamespace(hidden_size=config.encoder_size), adaptor_config=adaptor)
