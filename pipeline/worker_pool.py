"""The pool beside the TaskManagers of a cluster: starts a Python worker when one of them asks for it."""

import logging
import multiprocessing
import threading
from dataclasses import dataclass, field
from multiprocessing import forkserver
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import grpc
from apache_beam.portability.api import beam_fn_api_pb2, beam_fn_api_pb2_grpc
from apache_beam.utils import thread_pool_executor

from funasr_beam.model.errors import RunError
from funasr_beam.pipeline.worker import work

_STOP_S = 5.0
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
    starter = _Starter(logs)
    beam_fn_api_pb2_grpc.add_BeamFnExternalWorkerPoolServicer_to_server(starter, server)
    server.start()
    forkserver.ensure_running()
    return WorkerPool(bound, server, starter)


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


class _Starter(beam_fn_api_pb2_grpc.BeamFnExternalWorkerPoolServicer):  # type: ignore[misc]  # Beam has no types
    """Stands for Beam's own pool, which tells workers apart by ids that two TaskManagers share.

    There, the end of one job's worker ends the other TaskManager's, too (Beam 2.77). Workers are forked from a process
    that has imported the heavy libraries once: a job starts seconds sooner, and workers share that memory.
    """

    def __init__(self, logs: Path | None) -> None:
        self._logs = logs
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["funasr_beam.pipeline.worker_imports"])
        self._workers: dict[int, ForkServerProcess] = {}

    def StartWorker(  # noqa: N802 - the name of the remote procedure
        self, start_worker_request: Any, unused_context: Any
    ) -> beam_fn_api_pb2.StartWorkerResponse:
        """Start a worker process for the TaskManager that asks."""
        address = start_worker_request.control_endpoint.url
        log = self._logs / f"worker-{address.rpartition(':')[2]}.log" if self._logs else None
        process = self._context.Process(target=work, args=(address, start_worker_request.worker_id, log))
        try:
            process.start()
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
        workers = list(self._workers.values())
        for process in workers:
            process.terminate()
        for process in workers:
            process.join(_STOP_S)
            process.kill()

    def _wait(self, process: ForkServerProcess) -> None:
        self._workers[process.pid or 0] = process
        process.join()
        self._workers.pop(process.pid or 0, None)
        _log.info("Worker process %d has ended with code %s", process.pid, process.exitcode)
