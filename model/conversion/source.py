"""Find the original files of a checkpoint, and refuse a folder that asks for more trust than its tensors need."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from funasr_beam.model.conversion.architecture import LlmSizes, llm_folder_name, read_yaml
from funasr_beam.model.conversion.errors import ConversionError

WEIGHTS_NAME = "model.pt"
CTC_TOKENS_NAME = "multilingual.tiktoken"

_PICKLES = ("*.pt", "*.pth", "*.pb", "*.bin", "*.ckpt", "*.pkl", "*.pickle")
_TOKENIZERS = ("tokenizer.json", "vocab.json")


@dataclass(frozen=True)
class OriginalFiles:
    """Where the parts of an original checkpoint lie."""

    weights: Path
    config: dict[str, Any]  # of config.yaml; empty: there is none, and everything is as published
    llm: Path  # folder of the LLM's tokenizer and config.json
    ctc_tokens: Path | None  # SenseVoice's tokens

    @property
    def name(self) -> str:
        """What to call the checkpoint: its folder's name."""
        return self.weights.parent.name


def find_original(source: Path, tokenizer: Path | None = None) -> OriginalFiles:
    """The files of the checkpoint whose model.pt, or whose folder, is given.

    Args:
        source: a model.pt, or the folder that holds one.
        tokenizer: folder of the LLM's tokenizer; None: it lies beside model.pt, as published.

    Raises:
        ConversionError: something is missing, or the folder holds code or other pickles.
    """
    if not source.exists():
        raise ConversionError(f"{source} is not there", [])
    weights = source / WEIGHTS_NAME if source.is_dir() else source
    problems = list(_problems_of_folder(source)) if source.is_dir() else list(_problems_of_file(source))
    folder = weights.parent
    config = {} if problems else read_yaml(folder / "config.yaml")
    llm = tokenizer or folder / llm_folder_name(config)
    if not problems:
        problems = list(_problems_of_tokenizer(llm, told=tokenizer is not None))
    if problems:
        raise ConversionError(f"{source} cannot be converted", problems)
    tokens = folder / CTC_TOKENS_NAME
    return OriginalFiles(weights, config, llm, tokens if tokens.is_file() else None)


def llm_sizes(folder: Path) -> LlmSizes:
    """The sizes in the LLM folder's config.json; as published where there is none.

    Raises:
        ConversionError: it is no config.json of a Qwen3 model.
    """
    path = folder / "config.json"
    if not path.exists():
        return LlmSizes()
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        if told["model_type"] != "qwen3":
            raise ConversionError(f'{path}: model_type is "{told["model_type"]}"; known is "qwen3"', [])
        return LlmSizes(**{name: int(told[name]) for name in LlmSizes.__annotations__})
    except (ValueError, KeyError, TypeError) as error:
        raise ConversionError(f"{path} does not describe a Qwen3 model ({error!r})", []) from error


def _problems_of_folder(folder: Path) -> Iterator[str]:
    if not (folder / WEIGHTS_NAME).is_file():
        already = (folder / "config.json").exists() and list(folder.glob("*.safetensors"))
        yield f"{WEIGHTS_NAME} is missing" + (
            "; it is in the transformers format already: --model FOLDER" if already else ""
        )
    for path in sorted(path for pattern in _PICKLES for path in folder.rglob(pattern)):
        name = path.relative_to(folder)
        if str(name) != WEIGHTS_NAME:
            yield f"{name} is a pickle that is not needed; move it away, or name the one to convert: .../{WEIGHTS_NAME}"
    for path in sorted(folder.rglob("*.py")):
        yield f"{path.relative_to(folder)} is code, and no checkpoint's code is run; move it away to convert without it"
    for path in sorted(folder.rglob("*.json")):
        if "auto_map" in path.read_text(encoding="utf-8", errors="replace"):
            yield f"{path.relative_to(folder)} asks for remote code (auto_map), which is never run; take that entry out"


def _problems_of_file(path: Path) -> Iterator[str]:
    """Trainers of FunASR write model.pt.ep3 and model.pt.avg10 besides model.pt."""
    if path.name != WEIGHTS_NAME and not path.name.startswith(f"{WEIGHTS_NAME}."):
        yield f"{path.name}: of all pickles only FunASR's {WEIGHTS_NAME} is converted"


def _problems_of_tokenizer(folder: Path, *, told: bool) -> Iterator[str]:
    if any((folder / name).is_file() for name in _TOKENIZERS):
        return
    where = "there" if told else f"beside {WEIGHTS_NAME}"
    yield (
        f"{folder}: there is no tokenizer (tokenizer.json, or vocab.json with merges.txt) {where}. It comes with the "
        "original checkpoint, as does config.yaml; give its folder: --tokenizer FOLDER"
    )
