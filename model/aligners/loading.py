"""Load the aligner of a kind from a hub id or a folder."""

import importlib.util
from collections.abc import Mapping
from pathlib import Path

from funasr_beam.model.aligners.base import Aligner, Source
from funasr_beam.model.checkpoint_folder import code_problems, weight_problems
from funasr_beam.model.errors import RunError, UsageError
from funasr_beam.model.hub import cached_snapshot, download_snapshot

_NEEDED: Mapping[Source, tuple[str, ...]] = {
    "ctc": (),
    "qwen3": ("nagisa", "soynlp"),
    "wav2vec2": ("num2words", "uroman", "fugashi", "unidic_lite"),
}
"""Packages of the extra `align` that a kind cannot do without."""


def load_aligner(source: Source, model: str, device: str) -> Aligner:
    """An aligner that is ready to work.

    Raises:
        UsageError: the name means nothing.
        RunError: it cannot be had, is unsafe or incomplete, or a package is missing.
    """
    missing = [name for name in _NEEDED[source] if importlib.util.find_spec(name) is None]
    if missing:
        raise RunError(f"the {source} aligner needs {', '.join(missing)}: pip install 'funasr-beam[align]'")
    folder = aligner_folder(model, source)
    if source == "qwen3":
        from funasr_beam.model.aligners.qwen3 import Qwen3Aligner

        return Qwen3Aligner(folder, device)
    from funasr_beam.model.aligners.wav2vec2 import Wav2Vec2Aligner

    return Wav2Vec2Aligner(folder, device)


def aligner_folder(model: str, source: Source) -> Path:
    """The folder of an aligner on this machine, checked; downloads it where it is neither given nor in the hub's cache.

    Args:
        model: a folder, or a hub id "owner/name", with a commit, tag or branch of it as "owner/name@revision".
        source: which kind, for the message of how to get it.

    Raises:
        UsageError: it is neither.
        RunError: it cannot be had, or is unsafe or incomplete.
    """
    path = Path(model).expanduser()
    folder = path if path.is_dir() else _snapshot(model, source)
    problems = [*code_problems(folder), *weight_problems(folder)]
    if not (folder / "config.json").is_file():
        problems.append("config.json is missing")
    if problems:
        raise RunError("\n  ".join([f'The aligner "{model}" cannot be loaded:', *problems]))
    return folder


def _snapshot(model: str, source: Source) -> Path:
    hub_id, _, revision = model.partition("@")
    if hub_id.count("/") != 1 or model.startswith((".", "/", "~")):
        raise UsageError("The aligner cannot be found:", [f'"{model}" is neither a folder nor a hub id (owner/name)'])
    cached = cached_snapshot(hub_id, revision or None)
    if cached is not None and not weight_problems(cached):
        return cached
    key = "wav2vec2.CODE" if source == "wav2vec2" else source
    return download_snapshot(hub_id, revision or None, f"--set alignment.{key}=")
