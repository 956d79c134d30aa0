"""One Python worker of a cluster: `python -m funasr_beam.pipeline.worker`, started by the pool for a TaskManager."""

import argparse
import logging
import os
import socket
import sys
import threading
import time

_LOOK_EVERY_S = 2.0
_MISSES = 2
_log = logging.getLogger("funasr_beam")


def main() -> int:
    """Work for one TaskManager until it has no more work or is gone."""
    parser = argparse.ArgumentParser(prog="python -m funasr_beam.pipeline.worker", description=__doc__)
    parser.add_argument("--control", required=True, metavar="HOST:PORT", help="where the TaskManager gives work")
    parser.add_argument("--id", required=True, help="under which name")
    arguments = parser.parse_args()
    import grpc
    from apache_beam.runners.worker.sdk_worker import SdkHarness

    # By force, since Beam has already logged something on being imported, which sets up a log without times.
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.INFO, force=True)
    _log.info("Working for %s as %s in process %d", arguments.control, arguments.id, os.getpid())
    threading.Thread(target=_end_with_the_server, args=(arguments.control,), daemon=True).start()
    try:
        SdkHarness(arguments.control, worker_id=arguments.id).run()
    except (grpc.RpcError, grpc.FutureTimeoutError):
        return _gone(arguments.control)
    _log.info("No more work")
    return 0


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


if __name__ == "__main__":
    _end(main())
