"""One Flink cluster for all tests of this folder, forty recordings in an S3 bucket, and what they say."""

import shutil
import subprocess

import pytest

from benchmarks.memory import write_minute
from infra.flink.fetch_parts import default_parts
from infra.flink.local_cluster import Cluster, Ports
from tests.cluster.runs import Archive, command
from tests.pipeline.test_transcribe import short_samples

LONG_MINUTES = 60


@pytest.fixture(scope="session")
def recordings(tmp_path_factory):
    """Thirty-nine short recordings, in folders so that basenames collide, and one of an hour: six spans."""
    folder = tmp_path_factory.mktemp("recordings")
    samples = sorted(short_samples())
    for place in range(39):
        copy = folder / str(place // len(samples))
        copy.mkdir(exist_ok=True)
        shutil.copy2(samples[place % len(samples)], copy)
    spoken, silent = write_minute(folder / "spoken.mp3"), write_minute(folder / "silent.mp3", sentences=0)
    for name in ("spoken.mp3", "silent.mp3"):
        (folder / name).unlink()
    with (folder / "long.mp3").open("wb") as file:
        for minute in range(LONG_MINUTES):
            file.write(spoken if minute % 30 == 0 else silent)
    return folder


@pytest.fixture(scope="session")
def archive(recordings, s3_server):
    """The recordings in a bucket, and the tables of an undisturbed local run there."""
    source = s3_server.fresh("in")
    s3_server.file_system().put(str(recordings), source, recursive=True)
    found = Archive(source, s3_server.fresh("local"), s3_server)
    assert len(s3_server.file_system().find(source)) == 40
    subprocess.run(command(found, found.local), env=found.environment, check=True, capture_output=True)
    return found


@pytest.fixture(scope="session")
def cluster(archive, tmp_path_factory):
    """A JobManager, two TaskManagers with a slot each, Beam's job server and a pool of Python workers."""
    if shutil.which("java") is None or not default_parts().complete:
        pytest.skip("needs Java and the jars of Flink: make flink-parts")
    folder = tmp_path_factory.mktemp("cluster")
    started = Cluster(folder, Ports.free(), environment=archive.environment)
    try:
        started.up(task_managers=2)
        yield started
    finally:
        started.down()
