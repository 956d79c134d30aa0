"""Checkpoints of the Hugging Face hub: from its cache, over the network, or how to do without one."""

import logging
import urllib.error
import urllib.request
from pathlib import Path

from funasr_beam.model.errors import RunError

_WANTED_FILES = ["*.json", "*.safetensors", "*.txt"]  # never a pickle, never code
_ANSWER_TIMEOUT_S = 5.0

_log = logging.getLogger(__name__)


def cached_snapshot(hub_id: str, revision: str | None) -> Path | None:
    """The snapshot in the hub's cache (HF_HOME), perhaps incomplete; None when there is none. Needs no network."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(snapshot_download(hub_id, revision=revision, allow_patterns=_WANTED_FILES, local_files_only=True))
    except LocalEntryNotFoundError:
        return None


def download_snapshot(hub_id: str, revision: str | None, setting: str = "--model ") -> Path:
    """The snapshot, fetched from the hub into its cache; `setting` is what takes a folder instead of the hub's id.

    Raises:
        RunError: it cannot be fetched; found out within seconds, and the message says how to get it without a network.
    """
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import HTTPError, XetDownloadError  # type: ignore[attr-defined]  # its client's, by any name

    if constants.HF_HUB_OFFLINE:
        raise RunError(_how_to_get(hub_id, revision, setting, "HF_HUB_OFFLINE is set"))
    try:
        _probe(f"{constants.ENDPOINT}/api/models/{hub_id}")
        _log.info("Downloading %s from the Hugging Face hub", hub_id)
        return Path(
            snapshot_download(hub_id, revision=revision, allow_patterns=_WANTED_FILES, etag_timeout=_ANSWER_TIMEOUT_S)
        )
    except (OSError, HTTPError, XetDownloadError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise RunError(_how_to_get(hub_id, revision, setting, f"{type(error).__name__}: {reason}")) from error


def _probe(url: str) -> None:
    """Raise OSError unless somebody answers soon: the hub's own client waits for minutes where packets vanish."""
    if not url.startswith(("https://", "http://")):
        raise OSError(f"{url} is no address of a hub")
    request = urllib.request.Request(url, method="HEAD")
    try:
        urllib.request.urlopen(request, timeout=_ANSWER_TIMEOUT_S).close()
    except urllib.error.HTTPError as error:
        error.close()  # an answer; whether the model exists is for the hub's client to say


def _how_to_get(hub_id: str, revision: str | None, setting: str, reason: str) -> str:
    """What to do where the hub cannot be reached."""
    folder = hub_id.rpartition("/")[2]
    pinned = f" --revision {revision}" if revision else ""
    told = (
        f"The model {hub_id} is not on this machine and could not be downloaded ({reason}).\n"
        f"  On a machine with network:  hf download {hub_id}{pinned} --local-dir {folder}\n"
        f"  Copy the folder {folder} here, then run with:  {setting}/path/to/{folder}"
    )
    if not setting.startswith("--model"):
        return told
    return f"{told}\n  Meanwhile  --model demo  shows the whole pipeline with the tiny checkpoint that ships with it."
