"""The S3 server of the tests is one that the sources can work with."""

from funasr_beam.model.storage import Folder


def test_what_is_written_through_the_environment_is_there(s3):
    folder = Folder(s3.fresh())
    folder.write("a/b.bin", b"hello")
    assert folder.read("a/b.bin") == b"hello"
    assert folder.names("a") == ["b.bin"]
    assert s3.file_system().cat_file(folder.path("a/b.bin")) == b"hello"
