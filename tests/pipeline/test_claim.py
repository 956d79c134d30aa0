"""One run at a time on an output."""

import errno
import fcntl
import subprocess
import sys
import textwrap

import pytest

from funasr_beam.model.errors import RunError
from funasr_beam.model.storage import Folder
from funasr_beam.pipeline import claim
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


def test_where_there_are_no_file_locks_the_lease_decides(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", refuse)
    monkeypatch.setattr(claim, "_is_own_disk", lambda _: False)
    with only_run(Folder(str(tmp_path))) as check:
        check()
    assert (tmp_path / "_work/lease").exists()


def test_a_share_is_known_by_its_mount_whatever_its_name(tmp_path, monkeypatch):
    share = tmp_path / "my share"
    share.mkdir()
    mounts = tmp_path / "mounts"
    mounts.write_bytes(
        b"/dev/x / ext4 rw 0 0\n/dev/y /m\xe9 vfat rw 0 0\nh:/x " + f"{tmp_path}/my\\040share nfs4 rw 0 0\n".encode()
    )
    monkeypatch.setattr(claim, "_MOUNTS", mounts)
    assert claim._is_own_disk(tmp_path)
    assert not claim._is_own_disk(share / "out")
