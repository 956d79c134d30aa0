"""Which engines there are, what each is told, and which are refused with a reason."""

import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from apache_beam.options.pipeline_options import (
    DebugOptions,
    GoogleCloudOptions,
    PipelineOptions,
    PortableOptions,
    WorkerOptions,
)

from funasr_beam.model.errors import RunError, UsageError
from funasr_beam.pipeline.cli import main
from funasr_beam.pipeline.config import RunnerConfig
from funasr_beam.pipeline.config_sources import load_config
from funasr_beam.pipeline.engines import local
from funasr_beam.pipeline.engines.dataflow import dataflow_arguments
from funasr_beam.pipeline.engines.flink import FlinkEngine
from funasr_beam.pipeline.engines.local import LocalEngine, count_gpus
from funasr_beam.pipeline.engines.portable import portable_arguments
from funasr_beam.pipeline.runners import make_engine

GOOGLE = ("--project=p", "--region=r", "--temp_location=gs://b/t", "--sdk_container_image=i")


def transcribe(recordings, *arguments):
    return main(["transcribe", str(recordings), "--output", str(recordings / "out"), "--model", "demo", *arguments])


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("dask", "loses data"),
        ("DaskRunner", "loses data"),
        ("apache_beam.runners.dask.dask_runner.DaskRunner", "loses data"),
        ("ray", "prototype"),
        ("DirectRunner", "download"),
        ("prism", "download"),
        ("PortableRunner", "flink or spark"),
        ("FnApiRunner", "local"),
        ("samza", "input should be"),
    ],
)
def test_an_engine_that_cannot_be_trusted_is_refused_with_the_reason(name, reason, tmp_path, capsys):
    assert transcribe(tmp_path, "--runner", name) == 2
    assert reason in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_beams_own_name_of_an_engine_is_understood():
    assert RunnerConfig(name="FlinkRunner", flink_master="h:8081").name == "flink"


def test_an_engine_cannot_be_smuggled_in_with_the_options():
    with pytest.raises(UsageError, match=r"--runner is chosen by runner\.name"):
        load_config(None, ['runner.options=["--runner=DaskRunner"]'], {"input": ("in",), "output": "out"})


def test_flink_needs_to_know_its_master(tmp_path, capsys):
    assert transcribe(tmp_path, "--runner", "flink") == 2
    assert "runner.flink_master: is required" in capsys.readouterr().err


def test_a_master_must_be_host_and_port(tmp_path, capsys):
    assert transcribe(tmp_path, "--runner", "flink", "--flink-master", "http://host") == 2
    assert "runner.flink_master" in capsys.readouterr().err


def test_a_cluster_that_does_not_answer_is_exit_code_3_and_nothing_is_written(tmp_path, capsys):
    assert transcribe(tmp_path, "--runner", "flink", "--flink-master", "127.0.0.1:9") == 3
    assert "no Flink cluster answers at 127.0.0.1:9" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_portable_job_has_one_python_process_a_worker_and_no_docker():
    config = RunnerConfig(name="flink", flink_master="h:8081", worker_pool="pool:5", options=("--fasterCopy",))
    told = PipelineOptions(portable_arguments(config, "job", "h:8099", 4)).view_as(PortableOptions)
    assert (told.environment_type, told.environment_config) == ("EXTERNAL", "pool:5")
    assert told.sdk_worker_parallelism == "1"
    assert told.job_endpoint == "h:8099"
    assert "--fasterCopy" in portable_arguments(config, "job", "h:8099", 4)


def test_dataflow_gets_one_process_with_threads_and_a_lawful_name():
    config = RunnerConfig(name="dataflow", workers=3, options=GOOGLE)
    told = PipelineOptions(dataflow_arguments(config, "funasr-beam-20261122T0100Z_a"))
    assert "no_use_multiple_sdk_containers" in told.view_as(DebugOptions).experiments
    assert told.view_as(DebugOptions).number_of_worker_harness_threads == 4
    assert told.view_as(WorkerOptions).sdk_container_image == "i"
    assert told.view_as(GoogleCloudOptions).job_name == "funasr-beam-20261122t0100z-a"


def test_dataflow_names_everything_that_is_missing_at_once():
    with pytest.raises(UsageError) as error:
        make_engine(RunnerConfig(name="dataflow", options=("--project=p",)))
    assert [problem.split("--")[1].split("=")[0] for problem in error.value.problems] == [
        "region",
        "temp_location",
        "sdk_container_image",
    ]


def test_dataflow_takes_a_gpu_by_hint_or_by_option_but_never_both():
    both = ("--dataflow_service_options=worker_accelerator=type:nvidia-l4", *GOOGLE)
    with pytest.raises(UsageError, match="never both"):
        make_engine(RunnerConfig(name="dataflow", accelerator="nvidia-l4", options=both))


class FlinkDouble(BaseHTTPRequestHandler):
    """Answers like Flink's REST interface; a cancelled job is over after one more look."""

    task_managers = 2
    jobs = ()
    cancelled = ()

    def do_GET(self):
        kind = type(self)
        if self.path == "/overview":
            self._answer({"taskmanagers": kind.task_managers, "slots-total": 2 * kind.task_managers})
        else:
            self._answer({"jobs": kind.jobs})
            kind.jobs = [job | {"state": "CANCELED"} if job["jid"] in kind.cancelled else job for job in kind.jobs]

    def do_PATCH(self):
        type(self).cancelled = (*type(self).cancelled, self.path.split("/")[2].split("?")[0])
        self._answer({})

    def _answer(self, content):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(content).encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def flink():
    """A double of Flink's REST interface, and its address."""
    double = type("Double", (FlinkDouble,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), double)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    double.address = f"127.0.0.1:{server.server_address[1]}"
    yield double
    server.shutdown()
    server.server_close()
    thread.join()


def engine(flink, **settings):
    # The double's own port stands for a job server: somebody listens there.
    return FlinkEngine(RunnerConfig(name="flink", flink_master=flink.address, job_endpoint=flink.address, **settings))


def test_as_many_units_at_once_as_the_cluster_has_slots(flink):
    assert engine(flink).units_at_once == 4
    assert engine(flink, workers=3).units_at_once == 3


@pytest.mark.parametrize(
    ("nodes", "visible", "gpus"),
    [
        (["nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm", "null"], None, 2),
        (["nvidia0", "nvidia1"], "1", 1),
        (["nvidia0", "nvidia1"], "", 0),
        (["nvidia0"], "0,1", 1),
        ([], None, 0),
    ],
)
def test_gpus_are_counted_without_torch(tmp_path, monkeypatch, nodes, visible, gpus):
    for node in nodes:
        (tmp_path / node).touch()
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert count_gpus(tmp_path) == gpus


@pytest.mark.parametrize(("cores", "gpus", "threads"), [(64, 0, 8), (64, 1, 8), (64, 4, 32), (6, 4, 6)])
def test_this_machines_threads_are_enough_for_every_gpu(monkeypatch, cores, gpus, threads):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(cores))
    monkeypatch.setattr(local, "count_gpus", lambda: gpus)
    assert LocalEngine(RunnerConfig()).units_at_once == threads
    assert LocalEngine(RunnerConfig()).has_gpus is (gpus > 0)
    assert LocalEngine(RunnerConfig(workers=3)).units_at_once == 3


def test_a_cluster_without_workers_is_a_message(flink):
    flink.task_managers = 0
    with pytest.raises(RunError, match="has no TaskManager"):
        engine(flink)


def test_a_job_that_an_interrupted_command_left_is_cancelled_before_the_next(flink):
    flink.jobs = [
        {"jid": "a", "name": "mine", "state": "RUNNING", "start-time": 1},
        {"jid": "b", "name": "another", "state": "RUNNING", "start-time": 2},
    ]
    engine(flink).end_leftover("mine")
    assert flink.cancelled == ("a",)


def test_an_interrupted_command_cancels_its_job_and_says_which(flink):
    flink.jobs = [{"jid": "a", "name": "mine", "state": "RUNNING", "start-time": 1}]
    assert engine(flink).cancel("mine") == f"cancelled Flink job a on {flink.address}"
    assert engine(flink).cancel("other") is None


def test_a_missing_job_server_is_a_message_that_says_what_to_do(flink):
    config = RunnerConfig(name="flink", flink_master=flink.address, job_endpoint="127.0.0.1:9")
    with pytest.raises(RunError, match=r"job server does not answer at 127\.0\.0\.1:9"):
        FlinkEngine(config).make_runner("job")


def test_the_youngest_job_of_a_name_is_where_to_look(flink):
    flink.jobs = [
        {"jid": jid, "name": "mine", "state": "FAILED", "start-time": start} for jid, start in (("a", 1), ("b", 2))
    ]
    assert engine(flink).where_to_look("mine") == f"http://{flink.address}/#/job/running/b/exceptions"
