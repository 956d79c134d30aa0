"""The cluster's own tools: jars merged without losing services, only its own processes ended."""

import subprocess
import sys
import zipfile

import pytest

from infra.flink.fetch_parts import Parts, _merge_jars
from infra.flink.local_cluster import Cluster, Ports, Process, _start_ticks


def test_merged_jars_keep_the_first_class_and_every_service(tmp_path):
    for name, service in (("a", "one"), ("b", "two")):
        with zipfile.ZipFile(tmp_path / f"{name}.jar", "w") as jar:
            jar.writestr("META-INF/MANIFEST.MF", name)
            jar.writestr("META-INF/SIGNED.SF", name)
            jar.writestr("META-INF/services/x.Y", service)
            jar.writestr("x/Y.class", name)
            jar.writestr("META-INF/versions/9/x/Y.class", name)
    _merge_jars([tmp_path / "a.jar", tmp_path / "b.jar"], tmp_path / "all.jar")
    with zipfile.ZipFile(tmp_path / "all.jar") as merged:
        assert sorted(merged.read("META-INF/services/x.Y").split()) == [b"one", b"two"]
        assert merged.read("x/Y.class") == b"a"
        assert b"Multi-Release" in merged.read("META-INF/MANIFEST.MF")
        assert "META-INF/SIGNED.SF" not in merged.namelist()
        assert len(set(merged.namelist())) == len(merged.namelist())


def test_only_what_was_started_is_ended(tmp_path):
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    ours = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    cluster = Cluster(tmp_path)
    # The number of a process of ours that has ended long ago, now of somebody else's.
    cluster.processes = [Process("old", stranger.pid, 1), Process("ours", ours.pid, _start_ticks(ours.pid))]
    cluster.down()
    assert ours.wait() != 0
    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()
    assert Cluster.load(tmp_path).processes == []


def test_what_is_missing_is_said_before_anything_is_started(tmp_path):
    cluster = Cluster(tmp_path, parts=Parts(tmp_path / "none"))
    with pytest.raises(SystemExit, match="make flink-parts"):
        cluster.up(1)
    assert not list(tmp_path.iterdir())


def test_a_cluster_on_the_usual_ports_needs_one_option_and_any_other_names_its_ports(tmp_path):
    assert Cluster(tmp_path).options == ["--runner", "flink", "--flink-master", "localhost:8081"]
    assert len(set(vars(Ports.free()).values())) == 6
    options = Cluster(tmp_path, Ports(rest=1, job=2, pool=3)).options
    assert options[-4:] == ["--set", "runner.job_endpoint=localhost:2", "--set", "runner.worker_pool=localhost:3"]
