"""One Python worker of a cluster: a process that the pool starts for a TaskManager."""

import logging
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path

_LOOK_EVERY_S = 2.0
_MISSES = 2
_log = logging.getLogger("funasr_beam")


def work(control: str, name: str, log: Path | None) -> None:
    """Work for the TaskManager at HOST:PORT until it has no more work or is gone; this process ends with it."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _set_up_log(log)
    _log.info("Working for %s as %s in process %d", control, name, os.getpid())
    threading.Thread(target=_end_with_the_server, args=(control,), daemon=True).start()
    _end(_serve(control, name))


def _serve(control: str, name: str) -> int:
    import grpc
    from apache_beam.runners.worker.sdk_worker import SdkHarness

    try:
        SdkHarness(control, worker_id=name).run()
    except (grpc.RpcError, grpc.FutureTimeoutError):
        return _gone(control)
    _log.info("No more work")
    return 0


def _set_up_log(log: Path | None) -> None:
    if log is not None:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as file:
            for stream in (sys.stdout, sys.stderr):  # also what libraries write past Python
                os.dup2(file.fileno(), stream.fileno())
    # By force, since Beam has already logged something on being imported, which sets up a log without times.
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.INFO, force=True)


def _end_with_the_server(address: str) -> None:
    """End this process soon after its TaskManager or its job, though a thread may be deep inside a unit.

    Beam's harness would first finish all that it was given, while the next attempt already does the same work.
    """
    host, _, port = address.rpartition(":")
    misses = 0
    while misses < _MISSES:
        time.sleep(_LOOK_EVERY_S)
        try:
            socket.create_connection((host, int(port)), timeout=_LOOK_EVERY_S).close()
            misses = 0
        except OSError:
            misses += 1
    _end(_gone(address))


def _gone(address: str) -> int:
    _log.info("The TaskManager or its job at %s has gone; so does this worker", address)
    return 1


def _end(code: int) -> None:
    """End without waiting for threads. Commits are whole or not there."""
    logging.shutdown()
    sys.stderr.flush()
    os._exit(code)
