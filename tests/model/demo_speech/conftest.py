"""Synthesis needs libespeak-ng, which is a system package: without it these tests have nothing to say."""

from ctypes.util import find_library

import pytest


@pytest.fixture
def espeak() -> None:
    """Skip where the library is missing; it is only looked for, because a loaded one could not be loaded afresh."""
    if find_library("espeak-ng") is None:
        pytest.skip("libespeak-ng is not installed (apt-get install espeak-ng)")
