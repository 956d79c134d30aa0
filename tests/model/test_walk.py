import os

import pytest
from fsspec.implementations.local import LocalFileSystem

from funasr_beam.model.walk import matching, walk


class Guarded(LocalFileSystem):
    """A disk with folders that may not be looked into."""

    cachable = False

    def __init__(self, *closed):
        super().__init__()
        self.closed = {str(path) for path in closed}

    def ls(self, path, detail=False, **options):
        if str(path).rstrip("/") in self.closed:
            raise PermissionError(13, "Permission denied", path)
        return super().ls(path, detail=detail, **options)


@pytest.fixture
def root(tmp_path):
    for name in ("a.wav", "open/b.wav", "open/deep/c.wav", "closed/d.wav", "closed/deep/e.wav"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path


def names(root, found):
    return [os.path.relpath(one.path, root) for one in found if not one.error]


def test_a_folder_that_cannot_be_listed_is_told_and_the_others_are_walked(root):
    found = list(walk(Guarded(root / "closed"), str(root)))
    assert names(root, found) == ["a.wav", "open/b.wav", "open/deep/c.wav"]
    (closed,) = (one for one in found if one.error)
    assert (closed.path, type(closed.error)) == (str(root / "closed"), PermissionError)


def test_a_root_that_cannot_be_listed_is_an_error_and_no_empty_folder(root):
    with pytest.raises(PermissionError):
        list(walk(Guarded(root), str(root)))


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        ("*.wav", ["a.wav"]),
        ("*/*.wav", ["closed/d.wav", "open/b.wav"]),
        ("**/*.wav", ["a.wav", "closed/d.wav", "closed/deep/e.wav", "open/b.wav", "open/deep/c.wav"]),
        ("o*/**/*.wav", ["open/b.wav", "open/deep/c.wav"]),
        ("[a-c]*/deep/?.wav", ["closed/deep/e.wav"]),
        ("none*/*.wav", []),
    ],
)
def test_a_glob_matches_what_the_file_system_itself_says(root, pattern, wanted):
    text = f"{root}/{pattern}"
    assert sorted(names(root, matching(LocalFileSystem(), text))) == wanted
    assert wanted == sorted(os.path.relpath(path, root) for path in LocalFileSystem().glob(text))


@pytest.mark.parametrize(("pattern", "tells"), [("**/*.wav", True), ("*/*.wav", True), ("open/*.wav", False)])
def test_a_glob_tells_of_a_closed_folder_only_where_it_leads_there(root, pattern, tells):
    found = list(matching(Guarded(root / "closed"), f"{root}/{pattern}"))
    assert [one.path for one in found if one.error] == [str(root / "closed")] * tells


def test_links_to_files_have_the_details_of_the_file_and_links_to_folders_are_named(root):
    (root / "file.wav").symlink_to(root / "open/b.wav")
    (root / "folder").symlink_to(root / "open")
    (root / "nowhere.wav").symlink_to(root / "none")
    found = {os.path.relpath(one.path, root): one for one in walk(LocalFileSystem(), str(root))}
    assert found["file.wav"].info["mtime"] == (root / "open/b.wav").stat().st_mtime
    assert found["folder"].links_to == str(root / "open")
    assert "folder/b.wav" not in found
    assert "nowhere.wav" in found


def test_objects_behind_an_empty_name_are_found_and_those_that_mark_folders_are_not(s3):
    files = s3.file_system()
    bucket = f"{s3.bucket}/walk"
    for key in ("a.wav", "/b.wav", "c//d.wav", "c/e.wav"):
        files.call_s3("put_object", Bucket=s3.bucket, Key=f"walk/{key}", Body=b"x")
    for key in ("", "c/", "empty/"):
        files.call_s3("put_object", Bucket=s3.bucket, Key=f"walk/{key}", Body=b"")
    found = [one.path.removeprefix(f"{bucket}/") for one in walk(files, bucket)]
    assert sorted(found) == ["/b.wav", "a.wav", "c//d.wav", "c/e.wav"]
