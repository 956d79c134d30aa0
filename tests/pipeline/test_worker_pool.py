"""The pool that starts a Python worker for each TaskManager: one's end is not another's."""

import re
import socket
import threading
import time

import grpc
import pytest
from apache_beam.portability.api import beam_fn_api_pb2, beam_fn_api_pb2_grpc, endpoints_pb2

from funasr_beam.model.errors import RunError
from funasr_beam.pipeline.worker_pool import serve
from tests.processes import is_alive

WORKS = re.compile(r"in process (\d+)")


class TaskManager:
    """Accepts connections where a TaskManager would give work, and never gives any."""

    def __init__(self):
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                self._socket.accept()
            except OSError:
                return

    def die(self):
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


@pytest.fixture
def pool(tmp_path):
    started = serve(0, tmp_path)
    yield started
    started.close()


def ask(pool, task_manager):
    """What a TaskManager asks for, by an id that others use, too; gives the worker's process."""
    channel = grpc.insecure_channel(f"localhost:{pool.port}")
    stub = beam_fn_api_pb2_grpc.BeamFnExternalWorkerPoolStub(channel)
    endpoint = endpoints_pb2.ApiServiceDescriptor(url=f"localhost:{task_manager.port}")
    request = beam_fn_api_pb2.StartWorkerRequest(worker_id="1-1", control_endpoint=endpoint)
    assert not stub.StartWorker(request).error
    return stub


def process_of(folder, task_manager):
    log = folder / f"worker-{task_manager.port}.log"
    while not (log.exists() and (found := WORKS.search(log.read_text()))):
        time.sleep(0.05)
    return int(found[1])


def wait_for_the_end(pid):
    while is_alive(pid):
        time.sleep(0.1)


@pytest.mark.slow
def test_workers_of_two_task_managers_with_the_same_id_live_and_end_apart(pool, tmp_path):
    first, second = TaskManager(), TaskManager()
    stub = ask(pool, first)
    ask(pool, second)
    one, other = process_of(tmp_path, first), process_of(tmp_path, second)
    assert one != other
    stub.StopWorker(beam_fn_api_pb2.StopWorkerRequest(worker_id="1-1"))
    first.die()
    wait_for_the_end(one)
    assert is_alive(other)
    assert "has gone" in (tmp_path / f"worker-{first.port}.log").read_text()
    pool.close()
    wait_for_the_end(other)


def test_a_taken_port_is_a_message():
    with socket.create_server(("", 0)) as taken, pytest.raises(RunError, match="choose another --port"):
        serve(taken.getsockname()[1], None)
