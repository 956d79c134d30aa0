"""Servers that speak the protocols of Google's and Azure's object stores, in processes that end with the tests."""

import contextlib
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

AZURITE = Path(__file__).parent.parent / "build" / "azurite" / "node_modules" / ".bin" / "azurite-blob"
"""Azure's own emulator, an npm package; `make azurite` installs it where there is an npm."""

BUCKET = "archive"
PATIENCE_S = 60
# The account that every emulator of Azure's storage has, and its published key.
_ACCOUNT = "devstoreaccount1"
_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


@dataclass(frozen=True)
class Store:
    """An object store with an empty bucket."""

    scheme: str
    environment: dict[str, str]  # what a process needs to work with it
    files: Any  # fsspec file system, for a test to put things there

    def uri(self, name: str) -> str:
        """A place in the bucket."""
        return f"{self.scheme}://{BUCKET}/{name}"


@contextlib.contextmanager
def serve_gcs() -> Iterator[Store]:
    """Google Cloud Storage, by gcp-storage-emulator."""
    import gcsfs

    port = _free_port()
    command = [sys.executable, "-m", "gcp_storage_emulator", "start", "--in-memory"]
    with _running([*command, "--host", "127.0.0.1", "--port", str(port), "--default-bucket", BUCKET], port):
        environment = {"STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{port}"}
        with pytest.MonkeyPatch.context() as patch:
            # This process, too, works with the emulator. (With the token "anon", gcsfs asks Google about the bucket.)
            patch.setenv(*next(iter(environment.items())))
            yield Store("gs", environment, gcsfs.GCSFileSystem(skip_instance_cache=True))


@contextlib.contextmanager
def serve_azure() -> Iterator[Store]:
    """Azure's blob storage, by Azurite."""
    import adlfs

    port = _free_port()
    command = [str(AZURITE), "--inMemoryPersistence", "--silent", "--skipApiVersionCheck", "--disableTelemetry"]
    with _running([*command, "--blobPort", str(port)], port):
        connection = (
            f"DefaultEndpointsProtocol=http;AccountName={_ACCOUNT};AccountKey={_KEY};"
            f"BlobEndpoint=http://127.0.0.1:{port}/{_ACCOUNT};"
        )
        files = adlfs.AzureBlobFileSystem(connection_string=connection, skip_instance_cache=True)
        files.mkdir(BUCKET)
        yield Store("abfs", {"AZURE_STORAGE_CONNECTION_STRING": connection}, files)


def has_azurite() -> bool:
    """Whether Azurite can run here."""
    return AZURITE.exists() and shutil.which("node") is not None


@contextlib.contextmanager
def _running(command: list[str], port: int) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + PATIENCE_S
        while not _listens(port):
            assert process.poll() is None, f"{command[0]} ended with {process.returncode}"
            assert time.monotonic() < until, f"{command[0]} does not listen"
            time.sleep(0.1)
        yield
    finally:
        process.kill()
        process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as opened:
        return int(opened.getsockname()[1])
