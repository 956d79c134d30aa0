"""One run at a time on an output."""

import subprocess
import sys
import textwrap

import pytest

from funasr_beam.model.errors import RunError
from funasr_beam.model.storage import Folder
from funasr_beam.pipeline.claim import only_run


def test_a_second_run_on_the_same_output_stops_with_a_message(tmp_path):
    code = f"""
        from funasr_beam.model.storage import Folder
        from funasr_beam.pipeline.claim import only_run
        with only_run(Folder({str(tmp_path)!r})):
            print("at work", flush=True)
            input()
    """
    other = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert other.stdout.readline() == "at work\n"
    with pytest.raises(RunError, match="another run is at work"), only_run(Folder(str(tmp_path))):
        pass
    other.kill()
    other.wait()
    with only_run(Folder(str(tmp_path))):
        pass


def test_an_output_that_cannot_be_written_is_a_message(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(RunError, match="cannot be written"), only_run(Folder(str(tmp_path / "file"))):
        pass
