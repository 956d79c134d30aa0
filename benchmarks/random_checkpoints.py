"""Fun-ASR-Nano with random weights, made in place from a seed: full size, or tiny for a try."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from funasr_beam.model.conversion.convert import convert
from tests.original_checkpoint import Recipe, write_full_size, write_original

SIZES = ("tiny", "full")


@dataclass(frozen=True)
class RandomCheckpoint:
    """The same weights twice."""

    original: Path  # as upstream reads them
    converted: Path  # as transformers and this project do


def make_checkpoint(folder: Path, size: str) -> RandomCheckpoint:
    """The checkpoint of this size in the folder; made where it is not there yet (full: 5 GB of disk, a minute)."""
    found = RandomCheckpoint(folder / f"Fun-ASR-Nano-{size}", folder / f"{size}-converted")
    if not (found.original / "model.pt").exists():
        write = write_full_size if size == "full" else write_original
        draft = found.original.with_suffix(".tmp")
        for part in (draft, found.original):  # of a run that was interrupted
            shutil.rmtree(part, ignore_errors=True)
        write(draft, Recipe(seed=1))
        draft.rename(found.original)
    if not found.converted.exists():
        convert(found.original, found.converted)
    return found
