"""Write an original checkpoint as a folder that transformers and our own loader read.

Nothing of the size of the model is held in memory: the tensors are mapped from the original file, and written one after
the other.
"""

import hashlib
import json
import shutil
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from funasr_beam.model.conversion.architecture import Architecture, PromptFacts, read_architecture, read_prompt_facts
from funasr_beam.model.conversion.ctc_tensors import ctc_tensors, head_config, head_tensors, why_untrained
from funasr_beam.model.conversion.ctc_tokenizer import TOKENIZER_NAME, convert_tokens
from funasr_beam.model.conversion.errors import ConversionError
from funasr_beam.model.conversion.folder import build_config, check_against_transformers, save_folder
from funasr_beam.model.conversion.original import Tensors, check_tensors, read_original, without_ctc
from funasr_beam.model.conversion.source import CTC_TOKENS_NAME, OriginalFiles, find_original, llm_sizes
from funasr_beam.model.conversion.tensors import EMBEDDING, OUTPUT_LAYER, target_names
from funasr_beam.model.ctc_head import CONFIG_NAME, WEIGHTS_NAME
from funasr_beam.model.known_models import KnownModel, find_known, identify_original
from funasr_beam.model.version import __version__

MODEL_NAME = "model.safetensors"
DECLARATION_NAME = "funasr_beam.json"

_MARGIN_BYTES = 100_000_000  # tokenizer, configuration, and what else needs the disk meanwhile
_LONGEST_SEGMENT_S = 30.0
_READABLE = 0o644


@dataclass(frozen=True)
class ConversionOptions:
    """What a conversion may be told."""

    tokenizer: Path | None = None  # folder; None: as it lies beside model.pt
    with_ctc: bool = True  # False: the CTC head is left out
    known_as: str | None = None  # short name of a known model; None: as its checksum or its folder says


@dataclass(frozen=True)
class Conversion:
    """What was read and what was written."""

    source: Path
    source_sha256: str
    source_bytes: int
    num_tensors: int  # in the original file
    dtypes: tuple[str, ...]
    output: Path
    sha256s: dict[str, str]  # of the weight files written
    known_as: str | None
    audio_tokens: str
    without_times: str | None  # why there are no word times; None: there are
    prompt: PromptFacts


@dataclass(frozen=True)
class _Read:
    """A checked original checkpoint."""

    files: OriginalFiles
    tensors: Tensors
    architecture: Architecture
    without_times: str | None


def convert(source: Path, output: Path, options: ConversionOptions | None = None) -> Conversion:
    """Convert an original Fun-ASR-Nano checkpoint; the output folder appears whole or not at all.

    Args:
        source: a model.pt, or the folder that holds one.
        output: a folder that is not there yet, or is empty.
        options: what else is told; None: nothing.

    Raises:
        ConversionError: the original is wrong, incomplete or unsafe, or the output cannot be written.
    """
    options = options or ConversionOptions()
    check_output(output)
    read = _read(source, options)
    _check_space(read.files.weights, output)
    draft = output.parent / f".{output.name}-{uuid.uuid4().hex[:8]}.tmp"
    draft.mkdir(parents=True)
    try:
        conversion = _write(read, draft, output, options)
        if output.exists():
            output.rmdir()
        draft.rename(output)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return conversion


def check_output(output: Path) -> None:
    """Refuse an output that holds something already.

    Raises:
        ConversionError: it does.
    """
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise ConversionError(f"{output} is there already", ["choose another --output, or remove it"])


def known_original(source: Path, options: ConversionOptions) -> KnownModel | None:
    """Which known model an original is; reads all of it for its checksum unless the options say it.

    Raises:
        ConversionError: there is no original that could be converted.
    """
    if options.known_as:
        return find_known(options.known_as)
    files = find_original(source, options.tokenizer)
    return identify_original(_sha256(files.weights), files.name)


def _read(source: Path, options: ConversionOptions) -> _Read:
    files = find_original(source, options.tokenizer)
    architecture = read_architecture(files.config, llm_sizes(files.llm))
    tensors = read_original(files.weights)
    if not options.with_ctc:
        tensors = without_ctc(tensors)
    head = ctc_tensors(tensors)
    check_tensors(tensors, architecture, with_ctc=bool(head))
    _check_numbers(without_ctc(tensors))
    reason = _why_without_times(head, options)
    if reason is None and files.ctc_tokens is None:
        missing = f"{CTC_TOKENS_NAME} is missing beside it: the tokens of its CTC head; or go --without-ctc"
        raise ConversionError(f"{files.weights} cannot be converted", [missing])
    return _Read(files, tensors, architecture, reason)


def _why_without_times(head: Tensors, options: ConversionOptions) -> str | None:
    if not options.with_ctc:
        return "the CTC head was left out (--without-ctc)"
    if not head:
        return "the file has no CTC head"
    untrained = why_untrained(head)
    return f"its CTC head is untrained: {untrained}" if untrained else None


def _check_numbers(tensors: Tensors) -> None:
    """Refuse weights that are not finite; a sum needs no memory, and one NaN or infinity makes it so."""
    spoilt = [name for name, tensor in tensors.items() if not torch.isfinite(tensor.sum(dtype=torch.float32))]
    if spoilt:
        raise ConversionError("The file is damaged", [f"{name} holds numbers that are not finite" for name in spoilt])


def _check_space(weights: Path, output: Path) -> None:
    parent = next(folder for folder in output.absolute().parents if folder.exists())
    needed, free = weights.stat().st_size + _MARGIN_BYTES, shutil.disk_usage(parent).free
    if free < needed:
        raise ConversionError(
            f"{parent} has too little space", [f"{free / 1e9:.1f} GB free, {needed / 1e9:.1f} needed"]
        )


def _write(read: _Read, draft: Path, output: Path, options: ConversionOptions) -> Conversion:
    tied = torch.equal(read.tensors[EMBEDDING], read.tensors[OUTPUT_LAYER])
    weights = _renamed(read, tied=tied)
    dtypes = sorted({str(tensor.dtype).removeprefix("torch.") for tensor in read.tensors.values()})
    dtype = str(read.tensors[EMBEDDING].dtype).removeprefix("torch.")
    config = build_config(read.files.llm, read.architecture, dtype=dtype, tied=tied)
    check_against_transformers(config, weights)
    save_folder(draft, config, read.files.llm)
    save_file(weights, draft / MODEL_NAME, metadata={"format": "pt"})
    if read.without_times is None:
        _save_head(read, draft)
    for path in draft.glob("*.safetensors"):
        path.chmod(_READABLE)  # safetensors writes for the owner alone
    source_sha256 = _sha256(read.files.weights)
    told = options.known_as
    known = find_known(told) if told else identify_original(source_sha256, read.files.name)
    conversion = Conversion(
        source=read.files.weights,
        source_sha256=source_sha256,
        source_bytes=read.files.weights.stat().st_size,
        num_tensors=len(read.tensors),
        dtypes=tuple(dtypes),
        output=output,
        sha256s={path.name: _sha256(path) for path in sorted(draft.glob("*.safetensors"))},
        known_as=known.name if known else None,
        audio_tokens="low" if read.architecture.adaptor.use_low_frame_rate else "all",
        without_times=read.without_times,
        prompt=read_prompt_facts(read.files.config),
    )
    text = json.dumps(_declaration(read, conversion, known), indent=2, ensure_ascii=False)
    (draft / DECLARATION_NAME).write_text(text + "\n", encoding="utf-8")
    return conversion


def _renamed(read: _Read, *, tied: bool) -> Tensors:
    """The tensors by transformers' names; views of the original file, nothing is copied."""
    renamed: Tensors = {}
    for name, tensor in without_ctc(read.tensors).items():
        if name == OUTPUT_LAYER and tied:
            continue
        targets = target_names(name, read.architecture.encoder)
        for target, part in zip(targets, tensor.chunk(len(targets)), strict=True):
            renamed[target] = part.contiguous()
    return renamed


def _save_head(read: _Read, draft: Path) -> None:
    config = head_config(read.architecture, TOKENIZER_NAME)
    if read.files.ctc_tokens is not None:
        tokenizer = convert_tokens(read.files.ctc_tokens, config.vocab_size)
        tokenizer.save(str(draft / TOKENIZER_NAME))
    head = {name: tensor.contiguous() for name, tensor in head_tensors(read.tensors, read.architecture).items()}
    save_file(head, draft / WEIGHTS_NAME, metadata={"format": "pt"})
    (draft / CONFIG_NAME).write_text(json.dumps(asdict(config), indent=2) + "\n", encoding="utf-8")


def _declaration(read: _Read, conversion: Conversion, known: KnownModel | None) -> dict[str, Any]:
    """What the checkpoint says about itself; see `funasr_beam.model.checkpoint`."""
    declared: dict[str, Any] = {
        "model_id": conversion.known_as or read.files.name,
        "family": "fun-asr-nano",
        "audio_tokens": conversion.audio_tokens,
        "longest_segment_s": _LONGEST_SEGMENT_S,
        "sample_scale": 1.0,
        "prompt": asdict(conversion.prompt),
        "converted_from": {
            "file": conversion.source.name,
            "bytes": conversion.source_bytes,
            "sha256": conversion.source_sha256,
            "tensors": conversion.num_tensors,
            "dtypes": list(conversion.dtypes),
        },
        "sha256": conversion.sha256s,
        "converted_by": f"funasr-beam {__version__}",
    }
    if known is not None:
        declared["languages"] = list(known.languages)
    return declared


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
