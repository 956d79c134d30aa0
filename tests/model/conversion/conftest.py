import shutil

import pytest

from tests.original_checkpoint import write_original


@pytest.fixture(scope="session")
def pristine(tmp_path_factory):
    """An original checkpoint with a trained CTC head; not to be changed."""
    return write_original(tmp_path_factory.mktemp("original") / "Fun-ASR-Tiny")


@pytest.fixture
def original(pristine, tmp_path):
    """The same, to be spoilt."""
    return shutil.copytree(pristine, tmp_path / "Fun-ASR-Tiny")
