import pytest

from funasr_beam.model.errors import Cause
from funasr_beam.model.listing import InputNotFoundError, list_inputs
from funasr_beam.model.records import RecognitionOptions


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


def test_the_output_is_no_input(folder):
    (folder / "out/recordings").mkdir(parents=True)
    (folder / "out/recordings/x.wav").write_bytes(b"x")
    assert not [name for name in names(listed(folder, output=folder / "out")) if name.startswith("out/")]


def test_a_file_named_on_purpose_is_taken_whatever_its_ending(folder):
    assert not listed(folder / "b/notes.txt")[0].skipped


def test_a_manifest_row_without_its_file_is_a_failed_recording(folder):
    manifest = folder / "m.csv"
    manifest.write_text("uri,id\na.wav,one\ngone.wav,two\n")
    first, second = listed(manifest)
    assert (first.recording.id, first.failure) == ("one", None)
    assert (second.recording.id, second.failure.cause) == ("two", Cause.NOT_FOUND)


@pytest.mark.parametrize("text", ["/nowhere/at/all", "/nowhere/*.wav", "nosuchscheme://x/y"])
def test_an_input_that_names_nothing_is_an_error(text):
    with pytest.raises(InputNotFoundError, match=r"nowhere|nosuchscheme"):
        listed(text)


def test_a_name_with_wildcard_letters_is_taken_literally_where_it_exists(folder):
    (folder / "a[1].wav").write_bytes(b"x")
    assert names(listed(folder / "a[1].wav")) == ["a[1].wav"]
