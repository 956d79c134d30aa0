"""The program with standard streams as schedulers and pipes leave them."""

import io
import logging
import os
import subprocess
import sys

import pytest

from funasr_beam.pipeline.streams import WithoutWorkerTracebacks
from tests.pipeline.outputs import add_run, recording

COMMAND = f"{sys.executable} -m funasr_beam.pipeline"


def shell(line, **environment):
    process = subprocess.run(
        ["bash", "-c", line], capture_output=True, text=True, check=False, env={**os.environ, **environment}
    )
    return process.returncode, process.stdout, process.stderr


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    root = tmp_path_factory.mktemp("streams")
    add_run(root, "1", [recording(f"录音-{number}", status="failed", error_detail="x" * 200) for number in range(2000)])
    return root


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&- 2>&-"])
def test_a_closed_stream_is_no_error(output, closed):
    code, _, error = shell(f"{COMMAND} status {output} {closed}")
    assert (code, error) == (0, "")


def test_a_reader_that_goes_away_does_not_change_the_exit_code(output):
    line = f"{COMMAND} status {output} --most 2000 | head -1; exit ${{PIPESTATUS[0]}}"
    code, text, error = shell(line)
    assert (code, error) == (0, "")
    assert text.count("\n") == 1


def test_what_the_encoding_outside_does_not_have_is_printed_as_an_escape(output):
    line = f"{COMMAND} query {output} 'select uri from recordings' --most 1"
    code, text, error = shell(line, PYTHONIOENCODING="ascii")
    assert code == 0, error
    assert r"\u5f55\u97f3" in text


def test_a_current_folder_that_is_gone_is_a_message(output, tmp_path):
    line = f"mkdir {tmp_path}/gone && cd {tmp_path}/gone && rmdir ../gone && {COMMAND} status {output}"
    code, _, error = shell(line, PYTHONSAFEPATH="1")
    assert code == 2
    assert "the current folder is gone" in error and "Traceback" not in error


OF_A_WORKER = """Traceback (most recent call last):
  File "/somewhere/apache_beam/runners/worker/sdk_worker.py", line 310, in _execute
    response = task()
funasr_beam.model.errors.RunError: no space
"""
OF_OURS = """Traceback (most recent call last):
  File "/somewhere/pipeline/cli.py", line 80, in main
ValueError: a bug
"""


@pytest.mark.parametrize(
    ("level", "left"), [(logging.INFO, f"before\n{OF_OURS}\nafter\n"), (logging.DEBUG, None)], ids=["usual", "verbose"]
)
def test_what_a_worker_prints_of_an_error_that_comes_back_is_left_out(caplog, level, left):
    shown, everything = io.StringIO(), io.StringIO()
    stream = WithoutWorkerTracebacks(shown)
    with caplog.at_level(level, "funasr_beam"):
        for line in ("before", OF_A_WORKER, OF_OURS, "after"):
            print(line, file=stream)
            print(line, file=everything)
    assert shown.getvalue() == (everything.getvalue() if left is None else left)
