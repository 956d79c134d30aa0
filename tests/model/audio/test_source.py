"""Bytes from anywhere, and a cause for every way of not getting them."""

import os
import pickle
import stat

import pytest

from funasr_beam.model.audio.source import MediaSource
from funasr_beam.model.errors import Cause, RecordingError
from funasr_beam.model.storage_trouble import storage_failure


def cause_of(source: MediaSource) -> Cause:
    with pytest.raises(RecordingError) as caught:
        source.open()
    assert source.uri in caught.value.message
    return caught.value.cause


def test_a_local_file_is_read_by_path_and_by_file_uri(tmp_path):
    path = tmp_path / "a b%20c.bin"
    path.write_bytes(b"0123456789")
    for uri in (str(path), f"file://{path}"):
        with MediaSource(uri).open() as file:
            assert file.size == 10
            assert file.read(3) == b"012"


def test_a_look_elsewhere_leaves_the_place_of_reading(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"0123456789")
    with MediaSource(str(path)).open() as file:
        file.read(2)
        assert file.read_at(7, 9) == b"789"
        assert file.read(2) == b"23"


def test_every_read_is_progress(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"0123456789")
    beats = []
    with MediaSource(str(path)).open() as file:
        file.on_progress = lambda: beats.append(file.tell())
        file.read(4)
        file.read(4)
    assert beats == [4, 8]


def test_a_fsspec_uri_is_read_through_its_storage():
    import fsspec

    fsspec.filesystem("memory").pipe("/some/a.bin", b"hello")
    with MediaSource("memory://some/a.bin").open() as file:
        assert (file.size, file.read()) == (5, b"hello")


def test_what_is_not_there_or_empty_or_no_file_has_its_cause(tmp_path):
    (tmp_path / "empty").touch()
    os.mkfifo(tmp_path / "pipe")
    assert cause_of(MediaSource(str(tmp_path / "nothing"))) == Cause.NOT_FOUND
    assert cause_of(MediaSource("memory://nothing/there")) == Cause.NOT_FOUND
    assert cause_of(MediaSource(str(tmp_path / "empty"))) == Cause.EMPTY_FILE
    assert cause_of(MediaSource(str(tmp_path / "pipe"))) == Cause.NOT_MEDIA
    assert cause_of(MediaSource(str(tmp_path))) == Cause.NOT_MEDIA
    assert cause_of(MediaSource("/dev/zero")) == Cause.NOT_MEDIA
    assert cause_of(MediaSource("nosuch://bucket/a.wav")) == Cause.BAD_OPTIONS


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_access_denied(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"x")
    path.chmod(stat.S_IWUSR)
    assert cause_of(MediaSource(str(path))) == Cause.ACCESS_DENIED


class AnswerError(OSError):
    """What an HTTP storage raises."""

    def __init__(self, status: int) -> None:
        super().__init__(f"status {status}")
        self.status = status


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (FileNotFoundError(), Cause.NOT_FOUND),
        (PermissionError("Forbidden"), Cause.ACCESS_DENIED),
        (TimeoutError(), Cause.STORAGE_UNAVAILABLE),
        (ConnectionResetError("reset"), Cause.STORAGE_UNAVAILABLE),
        (OSError(5, "Input/output error"), Cause.STORAGE_UNAVAILABLE),
        (AnswerError(403), Cause.ACCESS_DENIED),
        (AnswerError(404), Cause.NOT_FOUND),
        (AnswerError(503), Cause.STORAGE_UNAVAILABLE),
    ],
)
def test_storage_errors_have_causes_and_say_what_to_do(error, cause):
    failure = storage_failure("s3://bucket/a.wav", error)
    assert failure.cause == cause
    assert failure.message.startswith("s3://bucket/a.wav: ")
    assert ";" in failure.message


def test_a_source_can_be_sent_to_another_process():
    source = MediaSource("s3://bucket/a.wav", "s3://key:secret@bucket/a.wav")
    assert pickle.loads(pickle.dumps(source)) == source
    assert "secret" not in repr(source)
