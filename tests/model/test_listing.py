import json
import os
import sys

import pytest
from fsspec.implementations.local import LocalFileSystem

from funasr_beam.model.errors import Cause, UsageError
from funasr_beam.model.listing import InputNotFoundError, check_exist, list_inputs
from funasr_beam.model.records import RecognitionOptions
from funasr_beam.model.storage import locate


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "in"
    for name in ("a.wav", "b/a.wav", "b/notes.txt", "b/no_ending", ".hidden.wav"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return root


def listed(*inputs, output="/nowhere/out"):
    return list(list_inputs([str(text) for text in inputs], RecognitionOptions(), str(output)))


def names(items):
    return [item.recording.uri.rsplit("/in/", 1)[-1] for item in items]


def test_a_folder_gives_every_file_once_and_says_what_it_leaves_out(folder):
    items = listed(folder)
    assert sorted(names([item for item in items if not item.skipped])) == ["a.wav", "b/a.wav", "b/no_ending"]
    skipped = {item.recording.uri.rsplit("/", 1)[-1]: item.failure for item in items if item.skipped}
    assert set(skipped) == {"notes.txt", ".hidden.wav"}
    assert skipped["notes.txt"].cause is Cause.EXCLUDED
    assert ".txt" in skipped["notes.txt"].message


def test_the_same_file_named_in_two_ways_is_one_recording(folder):
    assert names(listed(folder / "a.wav", f"file://{folder}/a.wav", f"{folder}/*.wav")) == ["a.wav"]


@pytest.mark.parametrize("text", ["..", "../", "./../", "../b/..", "..//*.wav", "link/.."])
def test_a_file_has_one_name_wherever_the_command_was_typed(folder, monkeypatch, text):
    (folder / "b" / "link").symlink_to(folder / "b")
    monkeypatch.chdir(folder / "b")
    typed = {item.recording.id for item in listed(text)}
    assert typed
    assert typed <= {item.recording.id for item in listed(str(folder))}


def test_equal_basenames_stay_apart(folder):
    ids = {item.recording.id for item in listed(f"{folder}/**/a.wav")}
    assert len(ids) == 2


def test_a_changed_file_is_another_recording(folder):
    before = listed(folder / "a.wav")[0].recording
    (folder / "a.wav").write_bytes(b"changed")
    after = listed(folder / "a.wav")[0].recording
    assert before.uri == after.uri
    assert before.id != after.id
    assert before.fingerprint != after.fingerprint


OWN = ("recordings/run=1/p.parquet", "segments/run=1/p.parquet", "runs/1/_SUCCESS", "_work/lock", "latest.spark.sql")


@pytest.fixture
def output(folder):
    """An output inside the folder, with something that was exported into it."""
    for name in (*OWN, "clips/x.wav"):
        (folder / "out" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "out" / name).write_bytes(b"x")
    return folder / "out"


@pytest.mark.parametrize("root", ["{}", "{}/", "{}/../in", "file://{}", "{}/**", "{}/../link"])
def test_an_output_inside_the_input_is_no_input(folder, output, root):
    (folder.parent / "link").symlink_to(folder)
    found = listed(root.format(folder), output=output)
    assert {"a.wav", "b/a.wav"} <= {name.removeprefix(f"file://{folder.parent}/link/") for name in names(found)}
    assert not [name for name in names(found) if "out/" in name]


@pytest.mark.parametrize("root", ["{}", "{}/", "{}/**"])
def test_in_an_output_that_is_the_input_only_what_a_run_writes_is_no_input(output, root):
    assert names(listed(root.format(output), output=output)) == ["out/clips/x.wav"]


def test_an_output_around_the_input_hides_no_recording(folder):
    assert "b/a.wav" in names(listed(folder / "b", output=folder))
    (folder / "runs/1").mkdir(parents=True)
    (folder / "runs/1/report.html").write_bytes(b"x")
    assert names(listed(folder / "runs", output=folder)) == []


def test_a_file_that_is_named_is_taken_wherever_it_is(folder, output):
    assert names(listed(output / "clips/x.wav", output=output)) == ["out/clips/x.wav"]


def test_a_file_named_on_purpose_is_taken_whatever_its_ending(folder):
    assert not listed(folder / "b/notes.txt")[0].skipped


def test_a_manifest_row_without_its_file_is_a_failed_recording(folder):
    manifest = folder / "m.csv"
    manifest.write_text("uri,id\na.wav,one\ngone.wav,two\n")
    first, second = listed(manifest)
    assert (first.recording.id, first.failure) == ("one", None)
    assert (second.recording.id, second.failure.cause) == ("two", Cause.NOT_FOUND)


def test_a_manifest_row_is_one_recording_whether_its_file_is_there_or_not(folder):
    manifest = folder / "m.csv"
    manifest.write_text("uri\nlate.wav\n")
    (before,) = listed(manifest)
    (folder / "late.wav").write_bytes(b"sound")
    (after,) = listed(manifest)
    assert before.recording.uri == after.recording.uri == (folder / "late.wav").as_uri()


def test_an_empty_file_without_an_ending_is_a_mark_of_some_program(folder):
    (folder / "_SUCCESS").touch()
    (skipped,) = (item for item in listed(folder) if item.recording.uri.endswith("_SUCCESS"))
    assert skipped.skipped
    assert not listed(folder / "_SUCCESS")[0].skipped


def test_a_glob_over_a_folder_that_is_there_may_match_nothing(folder):
    assert listed(folder / "*.flac") == []


@pytest.mark.parametrize("text", ["/nowhere/at/all", "/nowhere/*.wav", "nosuchscheme://x/y"])
def test_an_input_that_names_nothing_is_an_error(text):
    with pytest.raises(InputNotFoundError, match=r"nowhere|nosuchscheme"):
        listed(text)


def test_what_is_in_a_folder_that_may_not_be_entered_is_not_called_missing(folder, monkeypatch):
    def refuse(self, path, **_):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(LocalFileSystem, "exists", lambda *_: False)
    monkeypatch.setattr(LocalFileSystem, "info", refuse)
    with pytest.raises(InputNotFoundError, match="Permission denied; check the permissions"):
        check_exist([str(folder / "locked/a.wav")])


def test_a_name_with_wildcard_letters_is_taken_literally_where_it_exists(folder):
    (folder / "a[1].wav").write_bytes(b"x")
    assert names(listed(folder / "a[1].wav")) == ["a[1].wav"]


def test_a_changed_file_behind_an_unchanged_link_is_another_recording(folder):
    (folder / "link.wav").symlink_to(folder / "b/a.wav")
    before = {item.recording.uri: item.recording.fingerprint for item in listed(folder)}
    os.utime(folder / "b/a.wav", (1, 1))
    after = {item.recording.uri: item.recording.fingerprint for item in listed(folder)}
    changed = {uri.rsplit("/in/", 1)[-1] for uri in before if before[uri] != after[uri]}
    assert changed == {"b/a.wav", "link.wav"}


def test_a_link_to_a_folder_is_a_row_that_says_what_to_do(folder, tmp_path):
    (tmp_path / "other").mkdir()
    (folder / "other").symlink_to(tmp_path / "other")
    (folder / "latest").symlink_to(folder / "b")
    found = {item.recording.uri.rsplit("/", 1)[-1]: item for item in listed(folder)}
    assert "name that folder, too" in found["other"].failure.message
    assert found["latest"].skipped
    assert "which is listed itself" in found["latest"].failure.message


@pytest.mark.parametrize("pattern", ["", "/*.wav"])
def test_a_link_that_leads_nowhere_is_a_failed_row_that_names_its_target(folder, pattern):
    (folder / "gone.wav").symlink_to("/nowhere/a\udcff.wav")
    (folder / "loop.wav").symlink_to("loop.wav")
    (folder / "notes.txt").symlink_to("/nowhere/notes.txt")
    found = {item.recording.uri.rsplit("/", 1)[-1]: item for item in listed(f"{folder}{pattern}")}
    assert found["gone.wav"].failure.cause is Cause.NOT_FOUND
    assert "is a link to /nowhere/a" in found["gone.wav"].failure.message
    assert "is a link to loop.wav" in found["loop.wav"].failure.message
    assert pattern or found["notes.txt"].skipped


def test_a_folder_that_cannot_be_listed_is_a_failed_row_and_the_others_are_listed(folder, monkeypatch):
    ls = LocalFileSystem.ls

    def guarded(self, path, detail=False, **options):
        if path.endswith("/in/b"):
            raise PermissionError(13, "Permission denied", path)
        return ls(self, path, detail=detail, **options)

    monkeypatch.setattr(LocalFileSystem, "ls", guarded)
    for text in (folder, f"{folder}/**/*.wav"):
        items = {item.recording.uri.rsplit("/in/", 1)[-1]: item for item in listed(text)}
        assert items["a.wav"].failure is None
        assert items["b"].failure.cause is Cause.ACCESS_DENIED
        assert "nothing in it is transcribed" in items["b"].failure.message


def test_a_name_that_no_table_can_hold_is_one_failed_recording(folder):
    (folder / os.fsdecode(b"caf\xe9")).mkdir()
    for name in (b"caf\xe9/a.wav", b"\xff.wav", b"\xfe.wav"):
        (folder / os.fsdecode(name)).write_bytes(b"x")
    for text in (folder, f"{folder}/**"):
        failed = {item.recording.uri: item.failure for item in listed(text) if item.failure and not item.skipped}
        names = {r"caf\xe9/a.wav", r"\xff.wav", r"\xfe.wav"}
        assert {uri.rsplit("/in/", 1)[-1] for uri in failed} == names
        assert {failure.cause for failure in failed.values()} == {Cause.BAD_NAME}
        assert all("rename" in failure.message for failure in failed.values())


@pytest.mark.parametrize("uri", ["nosuch://x/a.wav", "a\0.wav", "s3://[b]x/a.wav"])
def test_a_row_of_a_manifest_that_names_no_place_is_a_failed_recording(folder, uri):
    manifest = folder / "m.jsonl"
    manifest.write_text(json.dumps({"uri": uri}) + '\n{"uri": "a.wav"}\n')
    first, second = listed(manifest)
    assert first.failure.cause is Cause.BAD_OPTIONS
    assert "correct the manifest" in first.failure.message
    assert second.failure is None


def test_two_colons_are_part_of_a_name(folder, s3):
    (folder / "a.wav::b.wav").write_bytes(b"other")
    (folder / "m.csv").write_text("uri\na.wav::b.wav\n")
    for text in (folder / "a.wav::b.wav", folder / "m.csv", f"file://{folder}/a.wav::b.wav"):
        (item,) = listed(text)
        assert (item.recording.uri, item.recording.size_bytes) == (f"file://{folder}/a.wav::b.wav", 5)
    assert locate("s3://bucket/a::file:///etc/passwd")[1] == "bucket/a::file:///etc/passwd"


def test_a_manifest_of_a_storage_without_its_package_says_what_to_install(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    (folder / "m.csv").write_text("uri\ngs://bucket/a.wav\n")
    with pytest.raises(UsageError, match="pip install"):
        listed(folder / "m.csv")


def test_a_glob_that_is_none_is_a_message(folder):
    with pytest.raises(InputNotFoundError, match="Invalid pattern"):
        listed(f"{folder}/**.wav")
