import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from funasr_beam.model.errors import Cause, UsageError
from funasr_beam.model.manifest import read_manifest
from funasr_beam.model.records import RecognitionOptions

NOTHING = RecognitionOptions()


def rows_of(path, text, defaults=NOTHING):
    path.write_text(text, encoding="utf-8")
    return list(read_manifest(str(path), defaults))


def test_a_csv_row_carries_all_that_is_known(tmp_path):
    text = "uri,id,language,hotwords,context,reference,agent\na.wav,7,en,Anna|Bob,a call,hello,Jo\n"
    (row,) = rows_of(tmp_path / "m.csv", text)
    assert row.uri == f"{tmp_path}/a.wav"
    assert (row.id, row.reference, row.metadata) == ("7", "hello", {"agent": "Jo"})
    assert row.options == RecognitionOptions("en", ("Anna", "Bob"), "a call")


def test_nemo_manifests_are_read(tmp_path):
    line = json.dumps({"audio_filepath": "/x/a.wav", "duration": 3.5, "text": "hello", "lang": "en"})
    (row,) = rows_of(tmp_path / "nemo.json", line)
    assert (row.uri, row.reference, row.options.language) == ("/x/a.wav", "hello", "en")
    assert row.metadata == {"duration": "3.5"}


@pytest.mark.parametrize("text", ["uri,offset\na.wav,3\n", "audio_filepath,offset\na.wav,0.0\nb.wav,\nc.wav,x\n"])
def test_an_offset_that_means_no_part_of_a_file_is_metadata(tmp_path, text):
    assert len(rows_of(tmp_path / "m.csv", text)) == text.count("\n") - 1


def test_parquet_manifests_are_read(tmp_path):
    table = pa.table({"uri": ["s3://b/a.wav"], "hotwords": [["x", "y"]], "reference": [None]})
    pq.write_table(table, tmp_path / "m.parquet")
    (row,) = read_manifest(str(tmp_path / "m.parquet"), NOTHING)
    assert (row.uri, row.options.hotwords, row.reference) == ("s3://b/a.wav", ("x", "y"), None)


def test_a_column_that_is_empty_in_pandas_says_nothing(tmp_path):
    nothing = [float("nan")] * 2
    table = {"uri": ["a.wav", "b.wav"], "id": nothing, "language": nothing, "reference": nothing, "hotwords": nothing}
    pq.write_table(pa.table(table), tmp_path / "m.parquet")
    rows = list(read_manifest(str(tmp_path / "m.parquet"), NOTHING))
    assert [(row.id, row.options, row.reference, row.failure) for row in rows] == [(None, NOTHING, None, None)] * 2


def test_defaults_hold_where_a_row_says_nothing(tmp_path):
    rows = rows_of(tmp_path / "m.csv", "uri,language\na.wav,\nb.wav,zh\n", RecognitionOptions("en", ("w",), "c"))
    assert [row.options for row in rows] == [
        RecognitionOptions("en", ("w",), "c"),
        RecognitionOptions("zh", ("w",), "c"),
    ]


def test_an_unknown_language_fails_one_recording_only(tmp_path):
    good, bad = rows_of(tmp_path / "m.csv", "uri,language\na.wav,en\nb.wav,klingon\n")
    assert good.failure is None
    assert bad.failure.cause is Cause.BAD_OPTIONS
    assert "klingon" in bad.failure.message


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("m.csv", "file,who\na.wav,Jo\n", "row 1: has no uri; its columns: file, who; known ones: audio_filepath"),
        ("m.csv", "uri,id\na.wav,1\nb.wav,1\n", "row 2: id 1 is there twice"),
        ("m.json", '{"audio_filepath": "a.wav", "offset": 2.5, "text": "b"}', "row 1: is a part of a file"),
        ("m.jsonl", '{"uri": "a.wav"}\nnot json\n', "line 2: is not JSON"),
        ("m.jsonl", "[1]\n", "line 1: is not a JSON object"),
        ("m.parquet", "no parquet", "Parquet"),
    ],
)
def test_a_broken_manifest_is_a_message_that_names_the_rows(tmp_path, name, text, says):
    with pytest.raises(UsageError, match=says):
        rows_of(tmp_path / name, text)


def test_a_missing_manifest_is_a_message(tmp_path):
    with pytest.raises(UsageError, match="cannot be read"):
        list(read_manifest(str(tmp_path / "none.csv"), NOTHING))


def test_unreadable_hotwords_fail_one_recording_only(tmp_path):
    (row,) = rows_of(tmp_path / "m.csv", 'uri,hotwords\na.wav,"[broken"\n')
    assert row.failure.cause is Cause.BAD_OPTIONS


def test_escapes_of_what_is_no_unicode_are_kept_as_escapes(tmp_path):
    text = '{"uri": "a.wav", "id": "\\ud800", "reference": "x\\udfff", "note": ["\\ud83d\\ude00", "\\udce9"]}\n'
    (row,) = rows_of(tmp_path / "m.jsonl", text)
    assert (row.id, row.reference) == (r"\ud800", r"x\udfff")
    assert json.loads(row.metadata["note"]) == ["\U0001f600", r"\xe9"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("m.csv", 'uri;agent;note\na.wav;"Jo;Ann";x, y\n'),
        ("m.csv", "uri\tagent\tnote\na.wav\tJo;Ann\tx, y\n"),
        ("m.tsv", 'uri;agent;note\na.wav;"Jo;Ann";x, y\n'),
    ],
)
def test_a_spreadsheet_may_have_written_another_separator(tmp_path, name, text):
    (row,) = rows_of(tmp_path / name, text)
    assert row.uri.endswith("a.wav")
    assert dict(row.metadata) == {"agent": "Jo;Ann", "note": "x, y"}


def test_a_csv_file_of_one_column_needs_no_separator(tmp_path):
    assert [row.uri.rsplit("/", 1)[-1] for row in rows_of(tmp_path / "m.csv", "uri\na;b.wav\nc.wav\n")] == [
        "a;b.wav",
        "c.wav",
    ]
