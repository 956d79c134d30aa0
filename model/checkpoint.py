"""Find a checkpoint by name, hub id or folder, refuse what is unsafe or incomplete, and say what it is."""

import functools
import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from funasr_beam.model.errors import RunError, UsageError
from funasr_beam.model.families import FAMILIES, FUN_ASR_NANO, WHISPER, WHISPER_CODES, Family
from funasr_beam.model.hub import cached_snapshot, download_snapshot
from funasr_beam.model.languages import LANGUAGE_CODES

AudioTokens = Literal["low", "all"]
DEMO = "demo"
DEMO_FOLDER = Path(__file__).parent / "checkpoints" / "demo"
HUB_IDS = {"fun-asr-nano": "FunAudioLLM/Fun-ASR-Nano-2512-hf"}
"""Short names of checkpoints that are published in the transformers format."""

_MLT = "fun-asr-mlt-nano"
_MLT_HUB_ID = "FunAudioLLM/Fun-ASR-MLT-Nano-2512"
_HUB_ID = re.compile(r"([\w][\w.-]*/[\w][\w.-]*)(?:@([\w.-]+))?")
_NANO_LANGUAGES = ("zh", "en", "ja")
_DECLARATION = "funasr_beam.json"
_ALIGNER = "Qwen3ASRForTokenClassification"
_CONFIGS = ("config.json", "tokenizer_config.json", "processor_config.json", "preprocessor_config.json")
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")


@dataclass(frozen=True)
class CheckpointRef:
    """A checkpoint by where it comes from; nothing has been read yet."""

    name: str  # as the user gave it
    hub_id: str | None  # None: the folder is all there is
    path: Path | None  # None: on the hub, or in its cache
    revision: str | None = None  # commit, tag or branch of the hub; None: its main branch


@dataclass(frozen=True)
class CheckpointInfo:
    """What a run records about its model."""

    model_id: str
    revision: str | None  # the hub's commit; None for folders
    sha256: str | None  # of the weights; several files: of their sorted "sha256  name" lines; None: they are remote
    longest_segment_s: float  # what it was trained for
    audio_tokens: AudioTokens
    languages: tuple[str, ...]  # codes
    family: Family = FUN_ASR_NANO

    @property
    def identity(self) -> str:
        """What tells two models apart: a checksum where there are weights, else the name of a service."""
        return self.sha256 or self.model_id


def resolve(name_or_path: str) -> CheckpointRef:
    """The checkpoint that the user means, without touching the network or reading weights.

    Args:
        name_or_path: "demo", "fun-asr-nano", "fun-asr-mlt-nano", an existing folder, or a hub id "owner/name",
            with a commit, tag or branch of it as "owner/name@revision".

    Raises:
        UsageError: it is none of these.
        RunError: a known model that nobody publishes in a format that can be loaded safely.
    """
    if name_or_path == DEMO:
        return CheckpointRef(name_or_path, None, DEMO_FOLDER)
    if name_or_path in (_MLT, _MLT_HUB_ID):
        raise RunError(_unpublished(name_or_path))
    path = Path(name_or_path).expanduser()
    if name_or_path and path.is_dir():
        return CheckpointRef(name_or_path, None, path.resolve())
    match = _HUB_ID.fullmatch(HUB_IDS.get(name_or_path, name_or_path))
    if match is None:
        known = ", ".join([*HUB_IDS, _MLT, DEMO])
        why = f"neither a known name ({known}) nor an existing folder nor a hub id (owner/name or owner/name@revision)"
        raise UsageError("The model cannot be found:", [f'model = "{name_or_path}": {why}'])
    return CheckpointRef(name_or_path, match[1], None, match[2])


@functools.lru_cache(maxsize=8)
def local_folder(ref: CheckpointRef) -> Path:
    """The checkpoint's folder on this machine, checked; downloads it where it is neither given nor in the hub's cache.

    Raises:
        RunError: it cannot be had, or it is unsafe or incomplete; the message says what to do.
    """
    folder = ref.path
    if ref.hub_id is not None:
        folder = cached_snapshot(ref.hub_id, ref.revision)
        if folder is None or folder_problems(folder):
            folder = download_snapshot(ref.hub_id, ref.revision)
    problems = folder_problems(folder) if folder is not None else ["it is neither on a hub nor in a folder"]
    if folder is None or problems:
        raise RunError("\n  ".join([f'The model "{ref.name}" cannot be loaded:', *problems]))
    return folder


@functools.lru_cache(maxsize=8)
def describe(ref: CheckpointRef) -> CheckpointInfo:
    """What a run records about this checkpoint; hashes the weights once per process.

    Raises:
        RunError: the checkpoint cannot be had, or declares something that makes no sense.
    """
    folder = local_folder(ref)
    family = FAMILIES[_read_json(folder / "config.json")["model_type"]]
    declared = _declaration(folder)
    name = str(declared.get("model_id") or ref.hub_id or folder.name)
    return CheckpointInfo(
        model_id=name,
        revision=folder.name if ref.hub_id else None,
        sha256=weights_sha256(folder),
        longest_segment_s=_longest_segment_s(declared, family, folder),
        audio_tokens=_audio_tokens(declared, folder) if family is FUN_ASR_NANO else "all",
        languages=_languages(declared, ref, family, folder),
        family=family,
    )


def folder_problems(folder: Path) -> list[str]:
    """Everything that keeps a folder from being loaded safely; empty: it can be.

    Weights must be safetensors, and nothing in the folder may ask for code of its own or for another model's weights.
    """
    if not folder.is_dir():
        return [f"{folder} is not there"]
    problems = _config_problems(folder)
    problems += [f"{name} asks for remote code (auto_map), which is never run" for name in _remote_code(folder)]
    if (folder / "adapter_config.json").exists():
        problems.append("adapter_config.json: an adapter is no checkpoint; merge it into its base model first")
    if not (folder / "tokenizer.json").exists():
        problems.append("tokenizer.json is missing")
    if not any((folder / name).exists() for name in ("processor_config.json", "preprocessor_config.json")):
        problems.append("processor_config.json (or preprocessor_config.json) is missing")
    return problems + _weight_problems(folder)


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


def _unpublished(name: str) -> str:
    """Why the multilingual model has no download, and what to do."""
    return (
        f'"{name}" is published only as a pickle (model.pt of {_MLT_HUB_ID}), which is never loaded here. '
        "Convert it to the transformers format (safetensors) and give the folder: --model FOLDER"
    )


def _config_problems(folder: Path) -> list[str]:
    """Whether config.json is there and of a family that can be loaded."""
    path = folder / "config.json"
    if not path.exists():
        original = " (an original FunASR folder? convert it first)" if (folder / "config.yaml").exists() else ""
        return [f"config.json is missing{original}"]
    config = _read_json(path)
    model_type = config.get("model_type")
    if model_type not in FAMILIES:
        return [f'config.json: model_type is "{model_type}"; what can be loaded: {", ".join(FAMILIES)}']
    if _ALIGNER in (config.get("architectures") or ()):
        return [f"config.json: {_ALIGNER} writes no text, it only times words: give it as alignment.qwen3"]
    return []


def _remote_code(folder: Path) -> list[str]:
    """The configuration files that name code of the checkpoint's own."""
    return [name for name in _CONFIGS if (folder / name).exists() and "auto_map" in (folder / name).read_text("utf-8")]


def _weight_problems(folder: Path) -> list[str]:
    """Whether all weights are there, as safetensors."""
    index = folder / "model.safetensors.index.json"
    if index.exists():
        shards = sorted(set(_read_json(index).get("weight_map", {}).values()))
        return [f"{name}, named by {index.name}, is missing" for name in shards if not _is_file_of(folder, name)]
    if (folder / "model.safetensors").exists():
        return []
    pickles = sorted(path.name for pattern in _PICKLES for path in folder.glob(pattern))
    only = f"; there are only pickles ({', '.join(pickles)}), which are never loaded: convert them" if pickles else ""
    return [f"model.safetensors is missing{only}"]


def _is_file_of(folder: Path, name: str) -> bool:
    """Whether the name is a plain file name inside the folder, and exists."""
    return Path(name).name == name and (folder / name).is_file()


def _read_json(path: Path) -> dict[str, Any]:
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


def _declaration(folder: Path) -> dict[str, Any]:
    """What the checkpoint says about itself in funasr_beam.json; empty when it has none."""
    path = folder / _DECLARATION
    return _read_json(path) if path.exists() else {}


def _longest_segment_s(declared: dict[str, Any], family: Family, folder: Path) -> float:
    """The segment length that the checkpoint was trained for."""
    value = declared.get("longest_segment_s", family.longest_segment_s)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value <= 120:
        raise RunError(f"{folder / _DECLARATION}: longest_segment_s = {value!r}: not a number from 1 to 120")
    return float(value)


def _audio_tokens(declared: dict[str, Any], folder: Path) -> AudioTokens:
    """How many rows per segment the LLM was trained on.

    Upstream trains with `use_low_frame_rate: true`; a port's config that no longer says so is of such a checkpoint too.
    """
    value = declared.get("audio_tokens")
    if value is None:
        config = _read_json(folder / "config.json")
        places = [config, config.get("adaptor_config") or {}, config.get("audio_config") or {}]
        value = "low" if all(place.get("use_low_frame_rate", True) for place in places) else "all"
    if value not in ("low", "all"):
        raise RunError(f'{folder / _DECLARATION}: audio_tokens = {value!r}: neither "low" nor "all"')
    return "low" if value == "low" else "all"


def _languages(declared: dict[str, Any], ref: CheckpointRef, family: Family, folder: Path) -> tuple[str, ...]:
    """The codes the checkpoint was trained on: declared, known by its hub id, or those of the whole family."""
    codes = declared.get("languages")
    if codes is None and ref.hub_id in HUB_IDS.values():
        return _NANO_LANGUAGES
    if codes is None:
        return _whisper_languages(folder) if family is WHISPER else family.languages
    unknown = [code for code in codes if code not in LANGUAGE_CODES] if isinstance(codes, list) else [codes]
    if unknown:
        raise RunError(f"{folder / _DECLARATION}: languages = {codes!r}: {unknown[0]!r} is no known code")
    return tuple(codes)


def _whisper_languages(folder: Path) -> tuple[str, ...]:
    """The codes for which a Whisper checkpoint has a token; English alone where it has none ("large-v3" knows 100)."""
    path = folder / "generation_config.json"
    tokens = _read_json(path).get("lang_to_id") if path.exists() else None
    codes = [WHISPER_CODES.get(token.strip("<|>"), token.strip("<|>")) for token in tokens or {}]
    return tuple(code for code in codes if code in LANGUAGE_CODES) or ("en",)
