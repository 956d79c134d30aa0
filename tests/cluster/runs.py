"""How the tests start a run on the cluster, look at it from outside, and count what was done twice."""

import contextlib
import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from infra.flink.local_cluster import Cluster
from tests.s3_server import S3Server

_BEGUN = re.compile(r"Unit (\w+) begins")
_COMMITTED = re.compile(r"Unit (\w+) is committed$")
_WORKS_FOR = re.compile(r"Working for \S+:(\d+) as \S+ in process (\d+)")
_LOADED = re.compile(r"Process (\d+) has loaded")


@dataclass(frozen=True)
class Archive:
    """Recordings in a bucket, and the tables of a local run over them."""

    source: str
    local: str
    server: S3Server

    @property
    def environment(self):
        """What a command, or a worker, needs to read and write there."""
        return {**os.environ, **self.server.environment}

    def committed(self, output):
        """Names of the committed units of the run that is at work in an output."""
        found = self.server.file_system().find(f"{output}/_work/units")
        return {path.rsplit("/", 1)[-1] for path in found}


def command(archive, output, *options):
    arguments = ["transcribe", archive.source, "--output", output, "--model", "demo", "--max-failed", "100%"]
    return [sys.executable, "-m", "funasr_beam.pipeline", *arguments, "--set", "plan.unit_s=60", *options]


def start(archive, cluster, output):
    """The command that runs on the cluster."""
    return subprocess.Popen(
        command(archive, output, *cluster.options),
        env=archive.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(run):
    """Wait for a command and give its exit code and what it wrote; shows that if the test fails."""
    out, error = run.communicate(timeout=600)
    print(out, error, sep="\n")
    return run.returncode, out, error


def tell(archive, *arguments):
    """What another command of funasr-beam says about the bucket."""
    call = [sys.executable, "-m", "funasr_beam.pipeline", *arguments]
    return subprocess.run(call, env=archive.environment, capture_output=True, text=True, check=False)


def assert_equal_tables(archive, output):
    said = tell(archive, "compare", archive.local, output)
    assert said.returncode == 0, said.stdout + said.stderr


def wait_for_commits(archive, output, run, count):
    """Wait until a run has committed so many units, and give their names."""
    while len(done := archive.committed(output)) < count:
        assert run.poll() is None, run.communicate()
        time.sleep(0.1)
    return done


def listening_ports(pid):
    """The TCP ports on which a process accepts connections."""
    sockets = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed while we look
            sockets.add(os.readlink(link))  # noqa: PTH115 - no path, but `socket:[inode]`
    lines = [
        line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]
    ]
    listening = "0A"
    return {
        int(line[1].rpartition(":")[2], 16)
        for line in lines
        if line[3] == listening and f"socket:[{line[9]}]" in sockets
    }


@dataclass(frozen=True)
class Work:
    """What the workers' logs say since the last time: how often each unit was begun and committed, and model loads."""

    begun: Counter
    committed: Counter
    loaded: Counter

    @property
    def repeated(self):
        """Units that were begun more than once."""
        return {unit for unit, count in self.begun.items() if count > 1}


class WorkerLogs:
    """Reads what was added to the workers' logs."""

    def __init__(self, cluster: Cluster) -> None:
        self._folder = cluster.folder / "logs"
        self._read = {path: path.stat().st_size for path in self._paths()}

    def work(self):
        """All that was done since this reader was made."""
        text = "".join(path.read_text()[self._read.get(path, 0) :] for path in self._paths())
        lines = text.splitlines()
        counts = [Counter(match[1] for line in lines if (match := kind.search(line))) for kind in _KINDS]
        return Work(*counts)

    def workers(self):
        """Process ids of all workers so far, by the port where their TaskManager gives work."""
        text = "".join(path.read_text() for path in self._paths())
        return {int(port): int(pid) for port, pid in _WORKS_FOR.findall(text)}

    def _paths(self):
        return sorted(self._folder.glob("worker-[0-9]*.log"))


_KINDS = (_BEGUN, _COMMITTED, _LOADED)


def status(archive, output):
    """What `funasr-beam status` tells scripts."""
    said = tell(archive, "status", output, "--json")
    assert said.returncode == 0, said.stderr
    return json.loads(said.stdout)
