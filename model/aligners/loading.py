"""Load the aligner of a kind from a hub id or a folder."""

from funasr_beam.model.aligners.base import Aligner, Source
from funasr_beam.model.errors import RunError


def load_aligner(source: Source, model: str, device: str) -> Aligner:
    """An aligner that is ready to work.

    Raises:
        RunError: it cannot be had, or is unsafe or incomplete.
    """
    raise RunError(f"no {source} aligner can be loaded yet: {model} on {device}")
