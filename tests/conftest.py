"""Fixtures that several tests share."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny Fun-ASR-Nano of random weights."""
    from tests.tiny_checkpoint import build_checkpoint

    return build_checkpoint(tmp_path_factory.mktemp("checkpoint") / "tiny-random")
