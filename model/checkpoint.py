"""Find a checkpoint by name, hub id or folder, refuse what is unsafe or incomplete, and say what it is."""

import functools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from funasr_beam.model.checkpoint_folder import DECLARATION, folder_problems, read_json, weights_sha256
from funasr_beam.model.endpoint import Endpoint
from funasr_beam.model.errors import RunError, UsageError
from funasr_beam.model.families import FAMILIES, FUN_ASR_NANO, REMOTE, WHISPER, WHISPER_CODES, Family
from funasr_beam.model.hub import cached_snapshot, download_snapshot
from funasr_beam.model.known_models import KNOWN_MODELS, KnownModel, find_known, models_home
from funasr_beam.model.languages import LANGUAGE_CODES
from funasr_beam.model.redaction import public_uri
from funasr_beam.model.stored_checkpoint import fetch_folder, is_stored

AudioTokens = Literal["low", "all"]
DEMO = "demo"
DEMO_FOLDER = Path(__file__).parent / "checkpoints" / "demo"

_HUB_ID = re.compile(r"([\w][\w.-]*/[\w][\w.-]*)(?:@([\w.-]+))?")


@dataclass(frozen=True)
class CheckpointRef:
    """A checkpoint by where it comes from; nothing has been read yet."""

    name: str  # as the user gave it
    hub_id: str | None  # None: the folder is all there is
    path: Path | None  # None: on the hub, or in its cache
    revision: str | None = None  # commit, tag or branch of the hub; None: its main branch
    uri: str | None = None  # folder in an object store


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
    sample_scale: float = 1.0  # what int16 samples are divided by before Fun-ASR's features are made of them

    @property
    def identity(self) -> str:
        """What tells two models apart: a checksum where there are weights, else the name of a service."""
        return self.sha256 or self.model_id


def resolve(name_or_path: str) -> CheckpointRef:
    """The checkpoint that the user means, without touching the network or reading weights.

    Args:
        name_or_path: "demo", the short name of a known model, an existing folder, the URI of a folder in an object
            store, or a hub id "owner/name", with a commit, tag or branch of it as "owner/name@revision". A short name
            means the copy that was converted on this machine, where there is one.

    Raises:
        UsageError: it is none of these.
        RunError: a known model that nobody publishes in a format that can be loaded safely.
    """
    if name_or_path == DEMO:
        return CheckpointRef(name_or_path, None, DEMO_FOLDER)
    known = find_known(name_or_path)
    if known is not None and (models_home() / known.name).is_dir():
        return CheckpointRef(name_or_path, None, models_home() / known.name)
    original = next((model for model in KNOWN_MODELS if _is_original_only(model, name_or_path)), None)
    if original is not None:
        raise RunError(_how_to_convert(original, name_or_path))
    if is_stored(name_or_path):
        return CheckpointRef(public_uri(name_or_path), None, None, uri=name_or_path)
    path = Path(name_or_path).expanduser()
    if name_or_path and path.is_dir():
        return CheckpointRef(name_or_path, None, path.resolve())
    match = _HUB_ID.fullmatch((known and known.hub_id) or name_or_path)
    if match is None:
        names = ", ".join([*(model.name for model in KNOWN_MODELS), DEMO])
        kinds = "nor a folder, here or s3://..., nor a hub id (owner/name or owner/name@revision)"
        why = f"neither a known name ({names}) {kinds}"
        raise UsageError("The model cannot be found:", [f'model = "{name_or_path}": {why}'])
    return CheckpointRef(name_or_path, match[1], None, match[2])


@functools.lru_cache(maxsize=8)
def local_folder(ref: CheckpointRef) -> Path:
    """The checkpoint's folder on this machine, checked; fetches it where it is neither given nor here already.

    Raises:
        RunError: it cannot be had, or it is unsafe or incomplete; the message says what to do.
    """
    folder = ref.path if ref.uri is None else fetch_folder(ref.uri)
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
    family = FAMILIES[read_json(folder / "config.json")["model_type"]]
    declared = _declaration(folder)
    stored = ref.name.rstrip("/").rpartition("/")[2] if ref.uri else None
    name = str(declared.get("model_id") or ref.hub_id or stored or folder.name)
    return CheckpointInfo(
        model_id=name,
        revision=folder.name if ref.hub_id else None,
        sha256=weights_sha256(folder),
        longest_segment_s=_longest_segment_s(declared, family, folder),
        audio_tokens=_audio_tokens(declared, folder) if family is FUN_ASR_NANO else "all",
        languages=_languages(declared, ref, family, folder),
        family=family,
        sample_scale=_sample_scale(declared, folder),
    )


def describe_endpoint(endpoint: Endpoint) -> CheckpointInfo:
    """What a run records of a remote model: its name and host; nobody knows its weights."""
    return CheckpointInfo(
        model_id=endpoint.model_id,
        revision=None,
        sha256=None,
        longest_segment_s=REMOTE.longest_segment_s,
        audio_tokens="all",
        languages=REMOTE.languages,
        family=REMOTE,
    )


def _is_original_only(model: KnownModel, name_or_path: str) -> bool:
    """Whether the user names something that is only published as a model.pt."""
    return name_or_path == model.original_hub_id or (name_or_path == model.name and model.hub_id is None)


def _how_to_convert(model: KnownModel, name: str) -> str:
    """Why there is no download that could be loaded, and what to do."""
    folder = str(model.original_hub_id).rpartition("/")[2]
    instead = f"\n  Or take the one in the transformers format:  --model {model.name}" if model.hub_id else ""
    return (
        f'"{name}" is published only as a pickle (model.pt), which is never loaded as it is. Convert it once:\n'
        f"  pip install modelscope && modelscope download --model {model.original_hub_id} --local_dir {folder}\n"
        f"    (or:  hf download {model.original_hub_id} --local-dir {folder})\n"
        f"  funasr-beam convert {folder}\n"
        f"  Then --model {model.name} finds it on this machine.{instead}"
    )


def _declaration(folder: Path) -> dict[str, Any]:
    """What the checkpoint says about itself in funasr_beam.json; empty when it has none."""
    path = folder / DECLARATION
    return read_json(path) if path.exists() else {}


def _longest_segment_s(declared: dict[str, Any], family: Family, folder: Path) -> float:
    """The segment length that the checkpoint was trained for."""
    value = declared.get("longest_segment_s", family.longest_segment_s)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value <= 120:
        raise RunError(f"{folder / DECLARATION}: longest_segment_s = {value!r}: not a number from 1 to 120")
    return float(value)


def _audio_tokens(declared: dict[str, Any], folder: Path) -> AudioTokens:
    """How many rows per segment the LLM was trained on.

    Upstream trains with `use_low_frame_rate: true`; a port's config that no longer says so is of such a checkpoint too.
    """
    value = declared.get("audio_tokens")
    if value is None:
        config = read_json(folder / "config.json")
        places = [config, config.get("adaptor_config") or {}, config.get("audio_config") or {}]
        value = "low" if all(place.get("use_low_frame_rate", True) for place in places) else "all"
    if value not in ("low", "all"):
        raise RunError(f'{folder / DECLARATION}: audio_tokens = {value!r}: neither "low" nor "all"')
    return "low" if value == "low" else "all"


def _sample_scale(declared: dict[str, Any], folder: Path) -> float:
    """What int16 samples are divided by: upstream trains on them as they are.

    Samples from -1 to 1 are not the same thing: their quiet bins fall below the floor of the features' logarithm. In
    recordings of 8 kHz, and beside digital silence, up to 31 % of the features then differ (measured on samples/).
    """
    value = declared.get("sample_scale", 1.0)
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        raise RunError(f"{folder / DECLARATION}: sample_scale = {value!r}: not a number above 0")
    return float(value)


def _languages(declared: dict[str, Any], ref: CheckpointRef, family: Family, folder: Path) -> tuple[str, ...]:
    """The codes the checkpoint was trained on: declared, known by its hub id, or those of the whole family."""
    codes = declared.get("languages")
    published = next((model for model in KNOWN_MODELS if ref.hub_id and model.hub_id == ref.hub_id), None)
    if codes is None and published is not None:
        return published.languages
    if codes is None:
        return _whisper_languages(folder) if family is WHISPER else family.languages
    unknown = [code for code in codes if code not in LANGUAGE_CODES] if isinstance(codes, list) else [codes]
    if unknown:
        raise RunError(f"{folder / DECLARATION}: languages = {codes!r}: {unknown[0]!r} is no known code")
    return tuple(codes)


def _whisper_languages(folder: Path) -> tuple[str, ...]:
    """The codes for which a Whisper checkpoint has a token; English alone where it has none ("large-v3" knows 100)."""
    path = folder / "generation_config.json"
    tokens = read_json(path).get("lang_to_id") if path.exists() else None
    codes = [WHISPER_CODES.get(token.strip("<|>"), token.strip("<|>")) for token in tokens or {}]
    return tuple(code for code in codes if code in LANGUAGE_CODES) or ("en",)
