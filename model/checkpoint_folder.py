"""A checkpoint's folder: what keeps it from being loaded safely, what it says about itself, and its checksum."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from funasr_beam.model.errors import RunError
from funasr_beam.model.families import FAMILIES

DECLARATION = "funasr_beam.json"

_ALIGNER = "Qwen3ASRForTokenClassification"
_CONFIGS = ("config.json", "tokenizer_config.json", "processor_config.json", "preprocessor_config.json")
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")


def folder_problems(folder: Path) -> list[str]:
    """Everything that keeps a folder from being loaded safely; empty: it can be.

    Weights must be safetensors, and nothing in the folder may ask for code of its own or for another model's weights.
    """
    if not folder.is_dir():
        return [f"{folder} is not there"]
    problems = _config_problems(folder)
    problems += [*code_problems(folder)]
    if (folder / "adapter_config.json").exists():
        problems.append("adapter_config.json: an adapter is no checkpoint; merge it into its base model first")
    if not (folder / "tokenizer.json").exists():
        problems.append("tokenizer.json is missing")
    else:
        read_json(folder / "tokenizer.json")  # the library that loads it has no errors of its own kind
    if not any((folder / name).exists() for name in ("processor_config.json", "preprocessor_config.json")):
        problems.append("processor_config.json (or preprocessor_config.json) is missing")
    return problems + weight_problems(folder)


def weights_sha256(folder: Path) -> str:
    """Sha256 of the safetensors: the file's own for one file, else that of the sorted "sha256  name" lines."""
    digests = {}
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as file:
            digests[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    if len(digests) == 1:
        return next(iter(digests.values()))
    lines = "".join(f"{digest}  {name}\n" for name, digest in digests.items())
    return hashlib.sha256(lines.encode()).hexdigest()


def is_original(folder: Path) -> bool:
    """Whether it holds an original FunASR model, which `funasr-beam convert` takes."""
    return (folder / "model.pt").is_file()


def read_json(path: Path) -> dict[str, Any]:
    """The file's object.

    Raises:
        RunError: it holds no JSON object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise RunError(f"{path} is no JSON: {error}") from error
    if not isinstance(content, dict):
        raise RunError(f"{path} holds no JSON object")
    return content


def _config_problems(folder: Path) -> list[str]:
    """Whether config.json is there and of a family that can be loaded."""
    path = folder / "config.json"
    if not path.exists():
        original = f": an original FunASR folder; funasr-beam convert {folder}" if is_original(folder) else ""
        return [f"config.json is missing{original}"]
    config = read_json(path)
    model_type = config.get("model_type")
    if model_type not in FAMILIES:
        return [f'config.json: model_type is "{model_type}"; what can be loaded: {", ".join(FAMILIES)}']
    if _ALIGNER in (config.get("architectures") or ()):
        return [f"config.json: {_ALIGNER} writes no text, it only times words: give it as alignment.qwen3"]
    return []


def code_problems(folder: Path) -> Iterator[str]:
    """Whatever asks to run code of the checkpoint's own."""
    for name in _CONFIGS:
        if (folder / name).exists() and "auto_map" in (folder / name).read_text("utf-8"):
            yield f"{name} asks for remote code (auto_map), which is never run; take the entry out if nothing needs it"
    for path in sorted(folder.glob("*.py")):
        yield f"{path.name} is code, and no checkpoint's code is run; move it away if nothing needs it"


def weight_problems(folder: Path) -> list[str]:
    """Whether all weights are there, as safetensors."""
    index = folder / "model.safetensors.index.json"
    if index.exists():
        shards = sorted(set(read_json(index).get("weight_map", {}).values()))
        return [f"{name}, named by {index.name}, is missing" for name in shards if not _is_file_of(folder, name)]
    if (folder / "model.safetensors").exists():
        return []
    pickles = sorted(path.name for pattern in _PICKLES for path in folder.glob(pattern))
    only = f"; there are only pickles ({', '.join(pickles)}), which are never loaded" if pickles else ""
    return [f"model.safetensors is missing{only}"]


def _is_file_of(folder: Path, name: str) -> bool:
    """Whether the name is a plain file name inside the folder, and exists."""
    return Path(name).name == name and (folder / name).is_file()
