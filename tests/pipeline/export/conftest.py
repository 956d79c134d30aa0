import pytest

from tests.pipeline.export.fixtures import make_output


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_output(tmp_path_factory.mktemp("made"))
