"""Load transformers' classes: quietly, completely, and with attention that masks the padding."""

import contextlib
import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from funasr_beam.model.errors import RunError
from funasr_beam.model.products import use_quick_linears
from funasr_beam.model.recognizers.base import EncoderPrecision, LlmPrecision
from funasr_beam.model.recognizers.precision import chosen_encoder_precision, let_products_be_tf32, llm_dtype

_ATTENTION = "sdpa"


def load_processor(folder: Path, kind: Any = None) -> Any:
    """Feature extractor and tokenizer of the checkpoint.

    Args:
        folder: the checkpoint.
        kind: transformers' processor class; None: Fun-ASR-Nano's.

    Raises:
        RunError: the files do not make a processor.
    """
    from transformers import FunAsrNanoProcessor

    with _quiet(), _readable_errors(folder):
        return (kind or FunAsrNanoProcessor).from_pretrained(folder, local_files_only=True, trust_remote_code=False)


def load_model(
    folder: Path,
    device: torch.device,
    encoder_precision: EncoderPrecision = "auto",
    llm_precision: LlmPrecision = "auto",
) -> Any:
    """The model in eval mode on the device.

    Args:
        folder: the checkpoint.
        device: where it computes.
        encoder_precision: of encoder and adaptor; "auto": see `chosen_encoder_precision`.
        llm_precision: of the LLM; "auto": bfloat16 on a GPU that has it, else float32.

    Raises:
        RunError: weights are missing or do not fit, or the adaptor would attend to padding.
    """
    from transformers import FunAsrNanoForConditionalGeneration

    encoder_precision = chosen_encoder_precision(encoder_precision, llm_precision, device)

    def lower(model: Any) -> None:
        if llm_dtype(llm_precision, device) == torch.bfloat16:
            lower_llm_precision(model)
        if encoder_precision == "bfloat16":
            lower_encoder_precision(model)

    model = load_complete(FunAsrNanoForConditionalGeneration, folder, lower)
    check_attention(model)
    let_products_be_tf32(encoder_precision == "tf32")
    return model.to(device)


def load_complete(kind: Any, folder: Path, lower: Callable[[Any], object] | None = None) -> Any:
    """A model of transformers' class `kind`, in eval mode, on the CPU, with every weight from the folder.

    For all of the process, attention is kept from cuDNN, its convolutions from TF32, and products, too, unless a
    Fun-ASR-Nano is loaded that is allowed it.

    Args:
        kind: the class.
        folder: the checkpoint.
        lower: gives parts of a model that has no weights yet another number type than float32. Weights are then read
            straight into it: never is all of a model in memory in float32 that shall not stay so.

    Raises:
        RunError: weights are missing or do not fit.
    """
    keep_attention_from_cudnn()
    torch.backends.cudnn.allow_tf32 = False  # torch allows it, though there are few convolutions
    _forbid_tf32_once()
    with _quiet(), _readable_errors(folder):
        model, report = (_lowered(kind, lower) if lower else kind).from_pretrained(
            folder,
            dtype=torch.float32,
            attn_implementation=_ATTENTION,
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    _check_complete(report, folder)
    use_quick_linears(model)
    return model.eval().requires_grad_(False)


@functools.cache
def _forbid_tf32_once() -> None:
    """Before the first model only: what a recogniser is allowed stays if an aligner is loaded later."""
    let_products_be_tf32(False)


def _lowered(kind: Any, lower: Callable[[Any], object]) -> Any:
    """The class of models that are lowered when they are built, before `from_pretrained` reads their weights.

    transformers reads a weight into the number type that it finds in the model; it offers no choice for single parts.
    """

    def build(model: Any, *arguments: Any, **options: Any) -> None:
        kind.__init__(model, *arguments, **options)
        lower(model)

    # By the same name: transformers looks up by it which weights are stored under other names.
    return type(kind.__name__, (kind,), {"__init__": build, "__module__": kind.__module__})


def keep_attention_from_cudnn() -> None:
    """Let torch's own kernels do attention, in all of this process; on a CPU they do anyway.

    In 16 bits on an H100, H200 or B200, torch 2.11 asks cuDNN first, which plans for every shape that a thread has not
    seen yet, for 0.4 s on a B200. Batches here have new shapes all the time.

    Source: https://github.com/modelscope/FunASR/issues/3704; `check_prefer_cudnn_attention` in torch's sdp_utils.cpp.
    """
    torch.backends.cuda.enable_cudnn_sdp(False)


def lower_llm_precision(model: Any) -> None:
    """Let the LLM compute in bfloat16; encoder and adaptor stay in float32, as upstream runs them."""
    lower_precision(model.model.language_model)
    lower_precision(model.lm_head)


def lower_precision(part: torch.nn.Module) -> None:
    """Let a model or a part of one compute in bfloat16, but for the angles of its rotary embeddings.

    `to` rounds buffers as well, and an angle is position x frequency: 0.4 % of it are whole turns far behind.
    """
    frequencies = {name: buffer for name, buffer in part.named_buffers() if name.endswith("inv_freq")}
    part.to(torch.bfloat16)
    for name, buffer in frequencies.items():
        owner, _, own_name = name.rpartition(".")
        setattr(part.get_submodule(owner), own_name, buffer)


def lower_encoder_precision(model: Any) -> None:
    """Let encoder and adaptor of a Fun-ASR-Nano compute in bfloat16."""
    model.model.audio_tower.to(torch.bfloat16)
    model.model.multi_modal_projector.to(torch.bfloat16)


def check_attention(model: Any) -> None:
    """Refuse a model whose adaptor ignores the padding mask: short utterances would hear their batch mates.

    Raises:
        RunError: an attention implementation is not set (transformers 5.17 to 5.23 do that unless it is passed).
    """
    parts = {
        "encoder": model.model.audio_tower,
        "adaptor": model.model.multi_modal_projector,
        "LLM": model.model.language_model,
    }
    bare = [name for name, part in parts.items() if part.config._attn_implementation is None]
    if bare:
        raise RunError(f"No attention implementation is set for: {', '.join(bare)}; texts would depend on the batch")


def _check_complete(report: Any, folder: Path) -> None:
    """Refuse weights that leave a part of the model random."""
    missing = sorted(report["missing_keys"])
    mismatched = sorted(str(key) for key in report["mismatched_keys"])
    if missing or mismatched:
        wrong = [*missing, *mismatched]
        raise RunError(f"{folder}: {len(wrong)} tensors are missing or have another shape, such as {wrong[0]}")


@contextlib.contextmanager
def _readable_errors(folder: Path) -> Iterator[None]:
    """Turn what transformers and safetensors raise on damaged folders into one message."""
    from huggingface_hub.errors import StrictDataclassError
    from safetensors import SafetensorError

    known = (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError)
    try:
        yield
    except (*known, SafetensorError, StrictDataclassError) as error:
        raise RunError(f"{folder} cannot be loaded: {type(error).__name__}: {error}") from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """No progress bars and no warnings from transformers while it loads."""
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
