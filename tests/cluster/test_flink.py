"""The same command on a real Flink cluster: equal tables, also when workers are killed and the job is cancelled."""

import os
import signal
import time

import pytest

from funasr_beam.pipeline.engines.flink_master import FlinkMaster
from tests.cluster.runs import WorkerLogs, assert_equal_tables, finish, listening_ports, start, status, wait_for_commits

pytestmark = pytest.mark.slow
WORKERS = 2


def test_the_tables_equal_those_of_a_local_run(archive, cluster):
    logs = WorkerLogs(cluster)
    output = archive.server.fresh("undisturbed")
    code, out, error = finish(start(archive, cluster, output))
    assert code == 0, error
    assert "x realtime" in out
    assert_equal_tables(archive, output)
    work = logs.work()
    assert len(work.begun) > 3 * WORKERS
    assert not work.repeated
    assert len(work.loaded) == WORKERS  # one model for each TaskManager
    assert archive.server.secret not in all_logs(cluster)


def test_a_task_manager_and_its_worker_killed_in_the_middle_cost_at_most_a_unit_each(archive, cluster):
    logs = WorkerLogs(cluster)
    output = archive.server.fresh("killed")
    run = start(archive, cluster, output)
    before = wait_for_commits(archive, output, run, 6)
    (unfinished,) = status(archive, output)["unfinished"]
    assert unfinished["recordings"] == 40
    assert 0 < unfinished["audio_done_s"] < unfinished["audio_s"]
    kill_with_its_worker(cluster, "taskmanager-2", logs)
    cluster.start_task_manager(2)  # as Kubernetes or systemd would
    code, _, error = finish(run)
    assert code == 0, error
    assert_equal_tables(archive, output)
    work = logs.work()
    print(f"{len(before)} units were committed before; begun twice: {sorted(work.repeated)}")
    assert not before & work.repeated
    assert len(work.repeated) <= WORKERS


def test_a_cancelled_job_goes_on_with_the_same_command(archive, cluster):
    logs = WorkerLogs(cluster)
    output = archive.server.fresh("cancelled")
    run = start(archive, cluster, output)
    first = wait_for_commits(archive, output, run, 3)
    cancel_everything(cluster)
    code, _, error = finish(run)
    assert code == 3
    assert "Job was cancelled" in error and "the same command goes on" in error and "Traceback" not in error

    run = start(archive, cluster, output)
    second = wait_for_commits(archive, output, run, len(first) + 3)
    run.terminate()  # as Ctrl-C, which a test that runs in the background could not send
    code, _, error = finish(run)
    assert code == 130
    assert "cancelled Flink job" in error and "the same command goes on" in error
    assert not running_jobs(cluster)

    code, _, error = finish(start(archive, cluster, output))
    assert code == 0, error
    assert_equal_tables(archive, output)
    work = logs.work()
    print(f"{len(first)} and {len(second)} units were committed before; begun twice: {sorted(work.repeated)}")
    assert not second & work.repeated
    assert len(work.repeated) <= 2 * WORKERS


def kill_with_its_worker(cluster, name, logs):
    """SIGKILL for a TaskManager and for the Python worker that it gave work to."""
    task_manager = cluster.process(name)
    ports = listening_ports(task_manager.pid)
    (worker,) = [pid for port, pid in logs.workers().items() if port in ports]
    os.kill(worker, signal.SIGKILL)
    os.kill(task_manager.pid, signal.SIGKILL)
    while task_manager.alive:
        time.sleep(0.01)


def running_jobs(cluster):
    jobs = FlinkMaster(cluster.master)._ask("/jobs/overview")["jobs"]
    return [job["jid"] for job in jobs if job["state"] not in ("FINISHED", "CANCELED", "FAILED")]


def cancel_everything(cluster):
    for job in running_jobs(cluster):
        FlinkMaster(cluster.master).cancel(job)
    while running_jobs(cluster):
        time.sleep(0.1)


def all_logs(cluster):
    return "".join(path.read_text(errors="replace") for path in (cluster.folder / "logs").iterdir())
