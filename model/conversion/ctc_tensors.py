"""The CTC head of an original checkpoint, and whether it was ever trained."""

import math
from collections.abc import Mapping

import torch

from funasr_beam.model.conversion.architecture import Architecture
from funasr_beam.model.conversion.original import Tensors
from funasr_beam.model.conversion.tensors import CTC_PREFIXES, target_names
from funasr_beam.model.ctc_head import CtcHeadConfig

FRAME_OFFSET_S = -0.0175
"""When frame 0 begins: a frame's seven windows of 25 ms, every 10 ms, are centred 12.5 ms after its nominal time, and
60 ms around that centre belong to it. The demo checkpoint's head was measured at -0.018."""

_OUTPUT_WEIGHT = "ctc.ctc_lo.weight"
_SAMPLE_ROWS = 4_096
_SPREAD_TOLERANCE = 0.01


def ctc_tensors(tensors: Tensors) -> Tensors:
    """Those of the CTC head, by their original names; none where the file has no head."""
    return {name: tensor for name, tensor in tensors.items() if name.startswith(CTC_PREFIXES)}


def head_tensors(tensors: Tensors, architecture: Architecture) -> Tensors:
    """The head's tensors by the names that `CtcHead` loads."""
    return {target_names(name, architecture.encoder)[0]: tensor for name, tensor in ctc_tensors(tensors).items()}


def head_config(architecture: Architecture, tokenizer: str) -> CtcHeadConfig:
    """What `CtcHead` must know about the head."""
    sizes = architecture.ctc
    return CtcHeadConfig(
        encoder_size=sizes.encoder_dim,
        vocab_size=architecture.ctc_classes - 1,
        blank_id=architecture.blank_id,
        hidden_size=sizes.llm_dim,
        num_heads=sizes.attention_heads,
        num_layers=sizes.n_layer,
        projector_size=sizes.ffn_dim,
        tokenizer=tokenizer,
        offset_s=FRAME_OFFSET_S,
        trained=True,
    )


def why_untrained(head: Mapping[str, torch.Tensor]) -> str | None:
    """What shows that a head was never trained, so that its times would be made up; None: nothing does.

    Three tests, each of something that training cannot leave behind:

    * a weight matrix that is constant (zeros, as a placeholder), or a number that is not finite;
    * every LayerNorm exactly as it was born, with gains of 1 and shifts of 0: the first step of any optimizer moves
      some of its hundreds of parameters, in bfloat16 too;
    * an output layer that is still the uniform noise it was born with: no weight outside of +-1/sqrt(inputs), and a
      spread within 1 % of that noise's. Training makes the rows of frequent tokens, and the blank's, far larger.

    Args:
        head: the tensors `ctc_decoder.*` and `ctc.*` by their original names.
    """
    for name, tensor in head.items():
        if not torch.isfinite(tensor).all():
            return f"{name} holds numbers that are not finite"
        if tensor.dim() > 1 and tensor.min() == tensor.max():
            return f"{name} is constant"
    norms = {name: tensor for name, tensor in head.items() if ".norm" in name}
    if norms and all(_is_initial_norm(name, tensor) for name, tensor in norms.items()):
        return "every LayerNorm of ctc_decoder is as it was initialised"
    if _is_initial_linear(head[_OUTPUT_WEIGHT]):
        return f"{_OUTPUT_WEIGHT} is the noise it was initialised with"
    return None


def _is_initial_norm(name: str, tensor: torch.Tensor) -> bool:
    return bool((tensor == (1 if name.endswith(".weight") else 0)).all())


def _is_initial_linear(weight: torch.Tensor) -> bool:
    """Whether it is distributed as `torch.nn.Linear` initialises it: evenly within +-1/sqrt(inputs)."""
    bound = 1 / math.sqrt(weight.shape[1])
    rounding = 1 + torch.finfo(weight.dtype).eps
    if float(weight.abs().max()) > bound * rounding:
        return False
    sample = weight[:: max(len(weight) // _SAMPLE_ROWS, 1)].double()
    spread = float(sample.std()) / (bound / math.sqrt(3))
    return -_SPREAD_TOLERANCE < spread - 1 < _SPREAD_TOLERANCE
