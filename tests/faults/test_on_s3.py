"""Faults of an object store; after each, the same command ends as if nothing had happened."""

import threading

import pyarrow.parquet as pq
import pytest

from funasr_beam.model.storage import Folder
from tests.faults import defects
from tests.faults.proxy import Faults, proxy_to
from tests.faults.scenes import RECORDINGS, Scene, sample, wait_until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def scene(s3_server, tmp_path_factory):
    base, files = s3_server.fresh("faults"), s3_server.file_system()
    for name in RECORDINGS:
        files.put_file(str(sample(name)), f"{base}/in/{name}")
    folder = tmp_path_factory.mktemp("s3")
    scene = Scene((f"{base}/in",), f"{base}/undisturbed", folder, s3_server.environment)
    code, text = scene.run(scene.undisturbed)
    assert code == 0, text
    return scene


@pytest.fixture
def proxy(s3_server):
    with proxy_to(s3_server.endpoint) as proxy:
        yield proxy


def through(s3_server, proxy):
    return s3_server.through(proxy.endpoint).environment


def committed(output):
    folder = Folder(output)
    return [name for each in folder.names("_work/units") for name in folder.names(f"_work/units/{each}")]


def rows(s3_server, output):
    return pq.read_table(f"{output.removeprefix('s3://')}/recordings", filesystem=s3_server.file_system()).to_pylist()


def test_five_percent_of_every_fault_change_nothing(scene, s3, s3_server):
    output = s3_server.fresh()
    with proxy_to(s3_server.endpoint, Faults.of_each_kind(0.05, seed=7)) as proxy:
        code, text = scene.run(output, environment=through(s3_server, proxy))
        assert code == 0, text
        assert min(proxy.done[kind] for kind in ("throttle", "error", "cut", "slow", "reset_after")) > 0, proxy.done
    scene.check_equal(output)


def test_credentials_that_expire_in_mid_run_stop_it_with_a_message_and_fail_no_recording(scene, s3, s3_server, proxy):
    output = s3_server.fresh()
    command = scene.start(output, environment=through(s3_server, proxy))
    wait_until(lambda: committed(output), command)
    proxy.expired = True
    assert command.wait() == 3, command.text
    last = command.text.strip().splitlines()[-1]
    assert "the storage does not accept the credentials" in last
    assert "the same command goes on" in last
    proxy.expired = False
    code, text = scene.run(output, environment=through(s3_server, proxy))
    assert code == 0, text
    assert "access_denied" not in {row["error_code"] for row in rows(s3_server, output)}
    scene.check_equal(output)


def test_a_read_that_never_ends_costs_its_recording_until_the_next_run(scene, s3, s3_server, proxy):
    output = s3_server.fresh()
    proxy.hangs = lambda method, path: method == "GET" and path.endswith("zh-phone.wav")
    code, text = scene.run(output, "--set", "decode.stall_s=3", environment=through(s3_server, proxy))
    assert code == 0, text
    assert [row["error_code"] for row in rows(s3_server, output) if row["uri"].endswith("zh-phone.wav")] == [
        "decode_timeout"
    ]
    proxy.hangs = lambda method, path: False
    code, text = scene.run(output, environment=through(s3_server, proxy))
    assert code == 0, text
    scene.check_equal(output)


def test_of_two_runs_at_once_one_stops_with_a_message_and_the_other_is_not_harmed(scene, s3, s3_server):
    output = s3_server.fresh()
    runs = [scene.start(output, defect=defects.quick_beats) for _ in range(2)]
    waits = [threading.Thread(target=run.wait) for run in runs]
    for wait in waits:
        wait.start()
    for wait in waits:
        wait.join()
    codes = sorted(run.wait() for run in runs)
    assert codes == [0, 3], [run.text for run in runs]
    assert "another run is at work" in next(run.text for run in runs if run.wait() == 3)
    scene.check_equal(output)


def test_a_run_that_was_killed_while_it_had_faults_goes_on(scene, s3, s3_server):
    output = s3_server.fresh()
    with proxy_to(s3_server.endpoint, Faults.of_each_kind(0.02, seed=3)) as proxy:
        command = scene.start(output, environment=through(s3_server, proxy))
        wait_until(lambda: committed(output), command)
        command.kill()
        code, text = scene.run(output, environment=through(s3_server, proxy))
    assert code == 0, text
    scene.check_equal(output)
