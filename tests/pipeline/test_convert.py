"""What a user of `funasr-beam convert` types and sees."""

import pyarrow.dataset as ds
import pytest

from funasr_beam.pipeline.cli import main
from tests.media import write_wav
from tests.original_checkpoint import Recipe, write_original


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("FUNASR_BEAM_HOME", str(tmp_path / "home"))
    return tmp_path / "home"
