"""Fixtures that several tests share."""

import contextlib
import gc
import sys
from collections.abc import Iterator
from ctypes.util import find_library
from pathlib import Path

import pytest

import benchmarks  # noqa: F401 - in a bare checkout its folders stand for the package
from tests.s3_server import S3Server, forget_connections, serve_s3

with contextlib.suppress(ImportError):  # tests for a GPU do without
    from hypothesis import HealthCheck, settings

    # Machines are noisy: how long an example takes says nothing about whether it is right.
    settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    # The same examples each time: `make test` must not be a matter of luck. `make test-fast` looks at others.
    settings.register_profile("repeatable", settings.get_profile("patient"), derandomize=True)
    settings.load_profile("patient")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """For `-m gpu` only modules with such tests: others need what a machine that is there for its GPU may lack."""
    if config.option.markexpr == "gpu" and collection_path.match("test_*.py"):
        return True if "pytest.mark.gpu" not in collection_path.read_text(encoding="utf-8") else None
    return None


def pytest_collection_finish() -> None:
    """What has been imported by now stays: let no collection of garbage go through it (0.3 s each) again."""
    gc.freeze()


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny Fun-ASR-Nano of random weights."""
    from tests.tiny_checkpoint import build_checkpoint

    return build_checkpoint(tmp_path_factory.mktemp("checkpoint") / "tiny-random")


@pytest.fixture(scope="session")
def espeak() -> None:
    """Skip where speech cannot be made; the library is only looked for: a loaded one could not be loaded afresh."""
    if find_library("espeak-ng") is None:
        pytest.skip("espeak-ng makes the speech (apt-get install espeak-ng)")


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """An S3 server in a process of its own, with an empty bucket; one for each test process."""
    with serve_s3() as server:
        yield server


@pytest.fixture
def s3(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    """The S3 server, and this process's environment set so that `s3://` means it."""
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    forget_connections()
    yield s3_server
    forget_connections()


@pytest.fixture(autouse=True)
def subnormal_numbers():
    """Training flushes subnormal numbers to zero; a property test of floats that follows in the process needs them."""
    yield
    if "torch" in sys.modules:
        sys.modules["torch"].set_flush_denormal(False)
