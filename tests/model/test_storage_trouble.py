"""What storages say no with, told apart."""

import errno
import re
import sys

import pytest
from botocore.exceptions import ClientError, NoCredentialsError
from fsspec.registry import _registry

from funasr_beam.model.errors import Cause, RecordingError, RunError
from funasr_beam.model.storage import Folder, locate
from funasr_beam.model.storage_trouble import Trouble, run_failure, storage_failure, trouble_of


def s3_error(code, kind=OSError):
    """As s3fs raises it: a Python exception made from the client's."""
    error = kind("said by the server")
    error.__cause__ = ClientError({"Error": {"Code": code, "Message": "said by the server"}}, "GetObject")
    return error


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        (s3_error("ExpiredToken", PermissionError), Trouble.CREDENTIALS),
        (s3_error("400"), Trouble.CREDENTIALS),
        (s3_error("InvalidAccessKeyId", PermissionError), Trouble.CREDENTIALS),
        (s3_error("AccessDenied", PermissionError), Trouble.REFUSED),
        (s3_error("RequestTimeTooSkewed", PermissionError), Trouble.CLOCK),
        (s3_error("SlowDown"), Trouble.OTHER),
        (s3_error("NoSuchKey", FileNotFoundError), Trouble.MISSING),
        (NoCredentialsError(), Trouble.NO_CREDENTIALS),
        (OSError(errno.ENOSPC, "No space left on device"), Trouble.FULL),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), Trouble.FULL),
        (OSError(errno.EROFS, "Read-only file system"), Trouble.READ_ONLY),
        (OSError(errno.EMFILE, "Too many open files"), Trouble.NO_MORE_FILES),
        (OSError(errno.ENFILE, "Too many open files in system"), Trouble.NO_MORE_FILES),
        (OSError(errno.ENOTDIR, "Not a directory"), Trouble.NOT_FOLDER),
        (ConnectionResetError("reset"), Trouble.OTHER),
    ],
)
def test_kinds_of_trouble_are_told_apart(error, trouble):
    assert trouble_of(error) is trouble


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (s3_error("ExpiredToken", PermissionError), "renew them"),
        (NoCredentialsError(), "AWS_PROFILE"),
        (OSError(errno.ENOSPC, "No space left on device"), "make room"),
        (OSError(errno.EMFILE, "Too many open files"), "ulimit -n"),
        (s3_error("RequestTimeTooSkewed", PermissionError), "clock"),
        (s3_error("NoSuchBucket", FileNotFoundError), "create the bucket"),
        (s3_error("AccessDenied", PermissionError), "check the permissions"),
        (OSError(errno.ENOTDIR, "Not a directory"), "is a file, and should be a folder"),
        (s3_error("SlowDown"), "try again later"),
    ],
)
def test_an_end_of_the_run_says_what_to_do(error, advice):
    message = str(run_failure("s3://bucket/out", error))
    assert message.startswith("s3://bucket/out: ")
    assert advice in message


def test_what_is_about_all_recordings_is_no_failure_of_one():
    assert isinstance(storage_failure("s3://b/a", s3_error("ExpiredToken", PermissionError)), RunError)
    assert isinstance(storage_failure("a.wav", OSError(errno.EMFILE, "Too many open files")), RunError)
    refused = storage_failure("s3://b/a", s3_error("AccessDenied", PermissionError))
    assert isinstance(refused, RecordingError)
    assert refused.cause is Cause.ACCESS_DENIED


def test_a_folder_tells_of_a_full_disk_and_leaves_no_draft(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    folder = Folder(str(tmp_path))
    with pytest.raises(RunError, match=r"there is no space left .* the same command goes on"):
        folder.write("a/b", b"x")
    assert not list(tmp_path.rglob("*.tmp"))
    assert folder.names("a") == []


def test_s3_keys_in_a_uri_are_used_and_not_shown():
    fs, path = locate("s3://AKIA:a%2Fsecret@bucket/some/key@1.wav")
    assert (fs.key, fs.secret, path) == ("AKIA", "a/secret", "bucket/some/key@1.wav")
    folder = Folder("s3://AKIA:a%2Fsecret@bucket/out")
    assert folder.show("x") == "s3://bucket/out/x"
    assert "secret" not in repr(folder)


@pytest.mark.parametrize(
    ("uri", "package", "extra"), [("gs://bucket/a", "gcsfs", "gcs"), ("abfs://c@account/a", "adlfs", "azure")]
)
def test_a_storage_whose_package_is_missing_says_how_to_install_it(uri, package, extra, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(_registry, uri.partition(":")[0], raising=False)
    with pytest.raises(ImportError, match=re.escape(f'pip install "funasr-beam[{extra}]"')):
        locate(uri)
