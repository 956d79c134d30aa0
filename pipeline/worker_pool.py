"""The pool beside the TaskManagers of a cluster: starts a Python worker when one of them asks for it."""

import logging
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from apache_beam.portability.api import beam_fn_api_pb2, beam_fn_api_pb2_grpc
from apache_beam.runners.worker.worker_pool_main import BeamFnExternalWorkerPoolServicer, kill_process_gracefully
from apache_beam.utils import thread_pool_executor

from funasr_beam.model.errors import RunError

_log = logging.getLogger("funasr_beam")


def serve(port: int, logs: Path | None) -> "WorkerPool":
    """A pool that listens on a port of every interface (0: a free one), with a log file for each worker in `logs`.

    Raises:
        RunError: the port is taken.
    """
    server = grpc.server(
        thread_pool_executor.shared_unbounded_instance(),
        # A port that somebody else listens on is an error; gRPC's default is to share it.
        options=[("grpc.so_reuseport", 0), ("grpc.http2.max_ping_strikes", 0)],
    )
    try:
        bound = server.add_insecure_port(f"[::]:{port}")
    except RuntimeError as error:
        raise RunError(f"port {port} cannot be listened on: {error}; choose another --port") from error
    pool = WorkerPool(bound, server, _Starter(logs))
    beam_fn_api_pb2_grpc.add_BeamFnExternalWorkerPoolServicer_to_server(pool.starter, server)
    server.start()
    return pool


@dataclass
class WorkerPool:
    """A running pool."""

    port: int
    server: Any
    starter: "_Starter"
    ended: threading.Event = field(default_factory=threading.Event)

    def close(self) -> None:
        """Take no more requests and end every worker."""
        self.server.stop(0)
        self.starter.end_workers()


class _Starter(BeamFnExternalWorkerPoolServicer):  # type: ignore[misc]  # Beam's classes carry no types
    """Beam's own pool keeps workers by ids that two TaskManagers share, so that the end of one ends the other's, too.

    It also starts `python`, whatever that is, hides its output in a pipe that nobody reads, and logs nothing.
    """

    def __init__(self, logs: Path | None) -> None:
        super().__init__(use_process=True)
        self._logs = logs

    def StartWorker(  # noqa: N802 - the name of the remote procedure
        self, start_worker_request: Any, unused_context: Any
    ) -> beam_fn_api_pb2.StartWorkerResponse:
        """Start a worker process for the TaskManager that asks."""
        name, address = start_worker_request.worker_id, start_worker_request.control_endpoint.url
        command = [sys.executable, "-m", "funasr_beam.pipeline.worker", "--control", address, "--id", name]
        try:
            process = self._start(f"worker-{address.rpartition(':')[2]}", command)
        except OSError as error:
            return beam_fn_api_pb2.StartWorkerResponse(error=f"the worker pool cannot start a worker: {error}")
        _log.info("Worker process %d for %s", process.pid, address)
        threading.Thread(target=self._wait, args=(process,), daemon=True).start()
        return beam_fn_api_pb2.StartWorkerResponse()

    def StopWorker(  # noqa: N802
        self, stop_worker_request: Any, unused_context: Any
    ) -> beam_fn_api_pb2.StopWorkerResponse:
        """Nothing: the request does not tell whose worker is meant, and a worker ends with its TaskManager's job."""
        return beam_fn_api_pb2.StopWorkerResponse()

    def end_workers(self) -> None:
        """End every worker that still runs."""
        for process in list(self._worker_processes.values()):
            kill_process_gracefully(process)

    def _start(self, name: str, command: list[str]) -> "subprocess.Popen[bytes]":
        if self._logs is None:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        else:
            self._logs.mkdir(parents=True, exist_ok=True)
            with (self._logs / f"{name}.log").open("ab") as log:
                process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._worker_processes[str(process.pid)] = process
        return process

    def _wait(self, process: "subprocess.Popen[bytes]") -> None:
        code = process.wait()
        self._worker_processes.pop(str(process.pid), None)
        _log.info("Worker process %d has ended with code %d", process.pid, code)
