"""The nightly examples: each loads in its own tool, and exit codes decide what is tried again."""

import os
import subprocess
from datetime import datetime
from pathlib import Path

import pytest
from croniter import croniter

SCHEDULES = Path(__file__).parents[2] / "infra/schedules"
AIRFLOW = os.environ.get("AIRFLOW_PYTHON")


def crontab():
    lines = (SCHEDULES / "crontab").read_text().splitlines()
    return [line for line in lines if line and not line.startswith(("#", "MAILTO=", "PATH="))]


def test_cron_understands_every_line_of_the_crontab():
    assert len(crontab()) == 2
    for line in crontab():
        fields = line.split(maxsplit=5)
        first = croniter(" ".join(fields[:5]), datetime(2026, 1, 1)).get_next(datetime)
        assert first.hour in (1, 5) and first.minute == 30
        assert "nightly.sh" in fields[5] and "%" not in fields[5]  # cron makes a new line of a percent sign


@pytest.fixture
def program(tmp_path):
    """A `funasr-beam` that writes down what it is asked, and ends with the next of the given codes."""

    def make(*codes):
        path = tmp_path / "funasr-beam"
        path.write_text(
            f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\n[ "$1" = status ] && exit 0\n'
            f"n=$(grep -c ^transcribe {tmp_path}/calls)\nset -- {' '.join(map(str, codes))}\n"
            "shift $((n - 1))\nexit $1\n"
        )
        path.chmod(0o755)
        return tmp_path

    return make


@pytest.mark.parametrize(
    "codes", [(0,), (1,), (2,), (3, 0), (3, 3, 1), (3, 3, 3), (130,)], ids=lambda codes: "-".join(map(str, codes))
)
def test_only_what_another_try_can_help_is_tried_again_and_status_comes_last(program, codes):
    folder = program(*codes)
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "NIGHTLY_PAUSE": "0"}
    script = [SCHEDULES / "nightly.sh", "in", "out", "--model", "demo"]
    done = subprocess.run(script, env=environment, check=False)
    calls = (folder / "calls").read_text().splitlines()
    assert done.returncode == codes[-1]
    assert calls == ["transcribe in --output out --model demo"] * len(codes) + ["status out"]


def test_the_airflow_dag_is_valid_python_of_two_tasks():
    text = (SCHEDULES / "airflow_dag.py").read_text()
    compile(text, "airflow_dag.py", "exec")
    assert text.count("@task") == 2


@pytest.mark.slow
@pytest.mark.skipif(AIRFLOW is None, reason="AIRFLOW_PYTHON names no Python that has Airflow")
def test_airflow_loads_the_dag(tmp_path):
    code = (
        "from airflow.dag_processing.dagbag import DagBag\n"
        f"bag = DagBag(dag_folder={str(SCHEDULES / 'airflow_dag.py')!r})\n"
        "assert not bag.import_errors, bag.import_errors\n"
        "dag = bag.dags['funasr_nightly']\n"
        "assert sorted(dag.task_ids) == ['status', 'transcribe'], dag.task_ids\n"
        "assert dag.task_dict['transcribe'].downstream_task_ids == {'status'}\n"
    )
    environment = {**os.environ, "AIRFLOW_HOME": str(tmp_path)}
    done = subprocess.run([AIRFLOW, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
