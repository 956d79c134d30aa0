#!/usr/bin/env python3
"""A real Flink cluster on this machine: JobManager, TaskManagers, Beam's job server, and the pool of Python workers.

    python infra/flink/local_cluster.py up [--task-managers 2] [--slots 1] [--free-ports]
    python infra/flink/local_cluster.py status
    python infra/flink/local_cluster.py down

Everything that runs belongs to one folder (infra/flink/.cluster, or --folder): its configuration, its logs, and the
list of its processes, which `down` stops. Only this machine can reach the ports.
"""

import argparse
import itertools
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from infra.flink.fetch_parts import VERSIONS, Parts, default_parts
from infra.flink.java_options import CLIENT_JVM, JOB_MANAGER, JVM, LOG4J, TASK_MANAGER, flink_conf

HERE = Path(__file__).resolve().parent
START_TIMEOUT_S = 180.0
STOP_TIMEOUT_S = 10.0
_OWN_PORTS = range(20_000, 32_000)
"""Below those that the system gives to connections, one of which may take a port between our look and its use."""


@dataclass(frozen=True)
class Ports:
    """Where the parts of the cluster listen, on this machine only."""

    rest: int = 8081  # Flink's REST interface and web pages
    rpc: int = 6123  # between JobManager and TaskManagers
    job: int = 8099  # Beam's job server
    artifact: int = 8098
    expansion: int = 8097
    pool: int = 50000  # where TaskManagers ask for Python workers

    @classmethod
    def free(cls) -> "Ports":
        """Six ports that nobody uses at the moment."""
        free = (port for port in random.sample(_OWN_PORTS, len(_OWN_PORTS)) if not listens(port))
        return cls(*itertools.islice(free, 6))


@dataclass(frozen=True)
class Process:
    """A process that `up` started; the start time tells it from a later one with the same id."""

    name: str
    pid: int
    start_ticks: int

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return _start_ticks(self.pid) == self.start_ticks


@dataclass
class Cluster:
    """A cluster in a folder of its own."""

    folder: Path
    ports: Ports = Ports()
    slots: int = 1
    parts: Parts = field(default_factory=default_parts)
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    processes: list[Process] = field(default_factory=list)

    @classmethod
    def load(cls, folder: Path) -> "Cluster":
        """The cluster that was started in a folder; without processes where there is none."""
        state = folder / "cluster.json"
        if not state.exists():
            return cls(folder)
        content = json.loads(state.read_text(encoding="utf-8"))
        processes = [Process(**process) for process in content["processes"]]
        return cls(folder, Ports(**content["ports"]), content["slots"], processes=processes)

    @property
    def master(self) -> str:
        """What `--flink-master` takes."""
        return f"localhost:{self.ports.rest}"

    @property
    def options(self) -> list[str]:
        """What `funasr-beam transcribe` needs to run here."""
        options = ["--runner", "flink", "--flink-master", self.master]
        if self.ports.job != Ports.job:
            options += ["--set", f"runner.job_endpoint=localhost:{self.ports.job}"]
        if self.ports.pool != Ports.pool:
            options += ["--set", f"runner.worker_pool=localhost:{self.ports.pool}"]
        return options

    def up(self, task_managers: int) -> None:
        """Start everything and wait until it is ready; on failure, stop what was started."""
        if any(process.alive for process in self.processes):
            raise SystemExit(f"a cluster is already up in {self.folder}; `down` stops it")
        if not self.parts.complete:
            raise SystemExit("Flink's jars are not here yet: run infra/flink/fetch_parts.py (or make flink-parts)")
        if shutil.which("java", path=self.environment.get("PATH")) is None:
            raise SystemExit("java is missing: install the Debian package openjdk-17-jre-headless")
        self._write_configuration()
        try:
            self._start_job_manager()
            for number in range(1, task_managers + 1):
                self.start_task_manager(number)
            self._start_job_server()
            self._start_worker_pool()
            self._wait("every TaskManager has registered", lambda: self.overview()["taskmanagers"] >= task_managers)
            self._wait("the job server answers", lambda: listens(self.ports.job))
            self._wait("the worker pool answers", lambda: listens(self.ports.pool))
        except BaseException:
            self.down()
            raise

    def down(self) -> None:
        """Stop what `up` started, the youngest first."""
        for process in reversed(self.processes):
            _signal(process, signal.SIGTERM)
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while any(process.alive for process in self.processes) and time.monotonic() < deadline:
            time.sleep(0.1)
        for process in self.processes:
            _signal(process, signal.SIGKILL)
        self.processes = []
        self._save()

    def overview(self) -> dict[str, Any]:
        """What Flink tells about itself; zeros while it does not answer."""
        try:
            with urllib.request.urlopen(f"http://{self.master}/overview", timeout=5) as answer:
                content: dict[str, Any] = json.load(answer)
                return content
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return {"taskmanagers": 0, "slots-total": 0}

    def process(self, name: str) -> Process:
        """The youngest process of a name, such as taskmanager-1."""
        return next(process for process in reversed(self.processes) if process.name == name)

    def start_task_manager(self, number: int) -> None:
        """Start one more TaskManager, or one in the place of another that died."""
        name = f"taskmanager-{number}"
        java = [*JVM, self._log4j, *TASK_MANAGER.jvm, "-cp", self._class_path(), TASK_MANAGER.main_class]
        settings = [*TASK_MANAGER.settings, "-D", f"taskmanager.resource-id={name}"]
        self._start(name, ["java", *java, "--configDir", str(self._conf), *settings])

    def log(self, name: str) -> Path:
        """Where a process writes what it does."""
        return self.folder / "logs" / f"{name}.log"

    @property
    def _conf(self) -> Path:
        return self.folder / "conf"

    @property
    def _log4j(self) -> str:
        return f"-Dlog4j2.configurationFile={self._conf}/log4j.properties"

    def _class_path(self) -> str:
        return f"{self.parts.flink}/*"

    def _job_server_class_path(self) -> str:
        # Flink's log4j, since without one the job server says nothing.
        return ":".join([f"{self.parts.job_server}/*", *map(str, sorted(self.parts.flink.glob("log4j-*.jar")))])

    def _write_configuration(self) -> None:
        self.processes = []
        for name in ("conf", "logs", "tmp"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        text = flink_conf(self.ports.rest, self.ports.rpc, self.slots, self.folder / "tmp")
        (self._conf / "flink-conf.yaml").write_text(text, encoding="utf-8")
        (self._conf / "log4j.properties").write_text(LOG4J, encoding="utf-8")

    def _start_job_manager(self) -> None:
        java = [*JVM, self._log4j, *JOB_MANAGER.jvm, "-cp", self._class_path(), JOB_MANAGER.main_class]
        self._start("jobmanager", ["java", *java, "--configDir", str(self._conf), *JOB_MANAGER.settings])
        self._wait("Flink's JobManager answers", lambda: listens(self.ports.rest))

    def _start_job_server(self) -> None:
        told = VERSIONS["job_server"]
        ports = ["--job-host", "localhost", "--job-port", str(self.ports.job)]
        ports += ["--artifact-port", str(self.ports.artifact), "--expansion-port", str(self.ports.expansion)]
        places = ["--flink-master", self.master, "--artifacts-dir", str(self.folder / "tmp/artifacts")]
        java = [*JVM, self._log4j, *CLIENT_JVM, "-cp", self._job_server_class_path(), told["main_class"]]
        self._start("job-server", ["java", *java, *places, *ports])

    def _start_worker_pool(self) -> None:
        python = [sys.executable, "-m", "funasr_beam.pipeline", "worker-pool", "--port", str(self.ports.pool)]
        self._start("worker-pool", [*python, "--logs", str(self.folder / "logs")])

    def _start(self, name: str, command: list[str]) -> None:
        environment = {**self.environment, "FLINK_CONF_DIR": str(self._conf)}
        with self.log(name).open("ab") as log:
            # A session of its own: Ctrl-C in the terminal is for the command that runs there, not for the cluster.
            started = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, start_new_session=True
            )
        self.processes.append(Process(name, started.pid, _start_ticks(started.pid) or 0))
        self._save()

    def _wait(self, what: str, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not ready():
            for process in self.processes:
                if not process.alive:
                    raise SystemExit(f"{process.name} has ended; {self.log(process.name)} says:\n{self._tail(process)}")
            if time.monotonic() > deadline:
                raise SystemExit(f"waited {START_TIMEOUT_S:.0f} s in vain until {what}; see {self.folder}/logs")
            time.sleep(0.2)

    def _tail(self, process: Process) -> str:
        lines = self.log(process.name).read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-15:])

    def _save(self) -> None:
        content = {"ports": asdict(self.ports), "slots": self.slots}
        content["processes"] = [asdict(process) for process in self.processes]
        (self.folder / "cluster.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _start_ticks(pid: int) -> int | None:
    """When a process began, in the kernel's ticks; None: there is no such process, or only its remains."""
    try:
        content = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, *rest = content.rpartition(")")[2].split()
    return None if state == "Z" else int(rest[18])


def _signal(process: Process, number: signal.Signals) -> None:
    if process.alive:
        os.kill(process.pid, number)


def listens(port: int) -> bool:
    """Whether anybody accepts connections on a port of this machine."""
    try:
        socket.create_connection(("localhost", port), timeout=1).close()
    except OSError:
        return False
    return True


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=("up", "status", "down"))
    parser.add_argument("--folder", type=Path, default=HERE / ".cluster", help="where the cluster lives")
    parser.add_argument("--task-managers", type=int, default=2, metavar="N")
    parser.add_argument("--slots", type=int, default=1, metavar="N", help="units worked on at once in a TaskManager")
    parser.add_argument("--free-ports", action="store_true", help="choose free ports instead of the usual ones")
    arguments = parser.parse_args()
    folder = arguments.folder.resolve()
    cluster = Cluster.load(folder)
    if arguments.action == "up":
        folder.mkdir(parents=True, exist_ok=True)
        cluster.ports = Ports.free() if arguments.free_ports else Ports()
        cluster.slots = arguments.slots
        cluster.up(arguments.task_managers)
    if arguments.action == "down":
        cluster.down()
        print(f"stopped; the logs stay in {folder}/logs")
        return 0
    return _tell(cluster)


def _tell(cluster: Cluster) -> int:
    for process in cluster.processes:
        state = "running" if process.alive else "ENDED"
        print(f"{process.name:<16}{process.pid:>8}  {state}  {cluster.log(process.name)}")
    if not any(process.alive for process in cluster.processes):
        print(f"no cluster is up in {cluster.folder}")
        return 1
    print(f"Flink's web pages: http://{cluster.master}")
    print(f"use it:  funasr-beam transcribe INPUT --output OUT {' '.join(cluster.options)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
