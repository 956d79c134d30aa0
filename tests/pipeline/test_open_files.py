"""The limit of open files that a scheduler leaves to the program."""

import subprocess
import sys

_LINES = """
import resource
from funasr_beam.pipeline import cli
cli.main = lambda: print(*resource.getrlimit(resource.RLIMIT_NOFILE)) or 0
cli.run()
"""


def test_the_command_takes_as_many_open_files_as_it_may_have():
    line = f'ulimit -Sn 128; ulimit -Hn 512; exec {sys.executable} -c "$0"'
    done = subprocess.run(["bash", "-c", line, _LINES], capture_output=True, text=True, check=False)
    assert done.stdout == "512 512\n", done.stderr
