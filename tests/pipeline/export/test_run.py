"""Exports as users run them: choosing, going on, saying what is left out."""

import json
import shutil
from pathlib import Path

import fsspec
import pytest

from funasr_beam.model.errors import UsageError
from funasr_beam.model.storage import Folder
from funasr_beam.pipeline.cli import main
from funasr_beam.pipeline.commands.export import FORMAT_NAMES
from funasr_beam.pipeline.export import audio, shards
from funasr_beam.pipeline.export.formats import FORMATS
from funasr_beam.pipeline.export.run import ExportOptions, export
from tests.pipeline.export.fixtures import make_output, run
from tests.pipeline.outputs import add_run, recording, segment


def files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_command_knows_every_format():
    assert set(FORMAT_NAMES) == set(FORMATS)


def test_a_condition_chooses_segments_by_their_columns_and_those_of_the_recording(made, tmp_path):
    where = "confidence > 0.8 and language = 'en' and num_channels = 2 and uri like '%tuesday%'"
    report = run(made, tmp_path, "stm", where=where)
    lines = (tmp_path / "transcripts.stm").read_text().splitlines()
    assert sorted(line.split(" ", 5)[5] for line in lines) == ["left side", "right side"]
    assert ("segments", "not chosen by --where") in {(left.what, left.why) for left in report.left_out}
    assert report.exported["recordings"] == 1


@pytest.mark.parametrize(
    "where", ["confidence >", "nope = 1", "1 = 1) or (1 = 1", "true; drop view items", "true union select 1", "text"]
)
def test_a_wrong_condition_is_a_message_and_nothing_is_written(made, tmp_path, where, capsys):
    target = tmp_path / "target"
    command = ["export", made.output.uri, "--format", "stm", "--output", str(target), "--where", where]
    assert main(command) == 2
    assert "Traceback" not in capsys.readouterr().err
    assert not (target / "transcripts.stm").exists()


def test_the_command_says_what_went_out_and_what_did_not(made, tmp_path, capsys):
    assert main(["export", made.output.uri, "--format", "srt", "--output", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert "6 recordings" in told and "left out: 1 recording: failed (not_media)" in told


def test_an_output_of_runs_is_no_place_for_an_export(made, tmp_path):
    made.output.write("_work/units/x/u.parquet", b"work of a run that was stopped")
    with pytest.raises(UsageError, match="name another folder"):
        run(made, Path(made.output.root), "srt")
    assert made.output.exists("_work/units/x/u.parquet")
    made.output.remove("_work")


def test_audio_is_refused_where_there_is_none(made, tmp_path):
    with pytest.raises(UsageError, match="stm has no audio; nemo"):
        run(made, tmp_path, "stm", audio="flac")


def test_names_are_unique_and_do_not_depend_on_other_recordings(made, tmp_path):
    run(made, tmp_path / "all", "txt")
    run(made, tmp_path / "one", "txt", where="uri like '%monday%'")
    everything = {path.name for path in (tmp_path / "all").glob("*.txt")}
    (alone,) = {path.name for path in (tmp_path / "one").glob("*.txt")}
    assert len(everything) == 6 and alone in everything
    assert any(name.startswith("电话_café_s-") for name in everything)


@pytest.mark.parametrize("kind", ["hf", "webdataset", "nemo", "srt"])
def test_the_same_export_again_gives_the_same_files(made, tmp_path, kind):
    run(made, tmp_path / "a", kind)
    run(made, tmp_path / "b", kind)
    assert files(tmp_path / "a") == files(tmp_path / "b")


@pytest.mark.parametrize("kind", ["webdataset", "hf"])
def test_an_export_that_was_stopped_goes_on_behind_its_last_shard(made, tmp_path, kind, monkeypatch):
    monkeypatch.setattr(shards, "SHARD_S", 3.0)
    run(made, tmp_path / "whole", kind)
    cut = []
    clips = audio.ClipCutter._clips

    def count(self, recording, window):
        cut.extend(segment.id for segment in window)
        if len(cut) == 5:
            raise KeyboardInterrupt
        return clips(self, recording, window)

    monkeypatch.setattr(audio.ClipCutter, "_clips", count)
    with pytest.raises(KeyboardInterrupt):
        run(made, tmp_path / "stopped", kind)
    assert not list((tmp_path / "stopped").glob("shard-*")) and not (tmp_path / "stopped/data").exists()
    before = len(cut)
    report = run(made, tmp_path / "stopped", kind)
    assert len(cut) - before < len(made.segments)
    assert report.exported["segments"] == len(made.segments)
    assert files(tmp_path / "stopped") == files(tmp_path / "whole")


def test_clips_that_are_there_are_not_cut_again(made, tmp_path, monkeypatch):
    run(made, tmp_path, "nemo", audio="flac")
    next(tmp_path.rglob("*.flac")).unlink()
    cut = []
    clips = audio.ClipCutter._clips
    monkeypatch.setattr(audio.ClipCutter, "_clips", lambda self, *rest: (cut.append(rest[1]), clips(self, *rest))[1])
    run(made, tmp_path, "nemo", audio="flac")
    assert [len(window) for window in cut] == [1]


def test_fewer_rows_leave_no_shards_of_an_earlier_export(made, tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "SHARD_S", 3.0)
    run(made, tmp_path, "webdataset")
    assert len(list(tmp_path.glob("shard-*"))) > 1
    run(made, tmp_path, "webdataset", where="text = 'hello there'")
    assert len(list(tmp_path.glob("shard-*"))) == 1


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda path: path.unlink(), "the original cannot be read (not_found)"),
        (
            lambda path: path.write_bytes(path.read_bytes()[:40_000]),
            "the original has changed since it was transcribed",
        ),
    ],
)
def test_clips_of_an_original_that_is_gone_or_changed_are_left_out(tmp_path, spoil, why):
    made = make_output(tmp_path / "made")
    spoil(tmp_path / "made/monday/call.wav")
    report = run(made, tmp_path / "corpus", "webdataset")
    assert {left.why: left.count for left in report.left_out if left.what == "segments"}[why] == 2
    assert report.exported["segments"] == len(made.segments) - 2


def test_an_export_goes_from_and_to_object_stores(made, tmp_path):
    store = fsspec.filesystem("memory")
    store.put(made.output.root, "/bucket/out", recursive=True)
    target = Folder("memory://bucket/corpus")
    report = export(Folder("memory://bucket/out"), target, ExportOptions("lhotse", audio="flac"))
    assert report.exported["segments"] == len(made.segments)
    assert target.names("") and not target.exists("_work")
    told = json.loads(target.read("export-lhotse.json"))
    assert told["exported"]["segments"] == len(made.segments)
    shutil.rmtree(tmp_path, ignore_errors=True)


def test_raw_text_is_as_the_model_said_it(tmp_path):
    made = make_output(tmp_path / "made")
    run(made, tmp_path / "corpus", "stm", raw_text=True)
    assert "hello there" in (tmp_path / "corpus/transcripts.stm").read_text()


def test_a_name_with_a_line_feed_breaks_no_line_of_kaldi(tmp_path):
    shape = {"duration": 2.0, "num_channels": 1, "sample_rate": 16_000}
    rows = [recording(name, **shape) for name in ("a", "b\nc", "d e")]
    output = add_run(tmp_path / "out", "1", rows, [segment(name) for name in ("a", "b\nc", "d e")])
    report = export(output, Folder(str(tmp_path / "kaldi")), ExportOptions("kaldi"))
    assert report.exported["recordings"] == 2
    assert ("recordings", "a line feed in the name of the file, which wav.scp cannot hold") in {
        (left.what, left.why) for left in report.left_out
    }
    for name in ("wav.scp", "text", "segments"):
        assert len((tmp_path / "kaldi" / name).read_text().splitlines()) == 2


def test_kaldi_is_not_told_of_originals_that_ffmpeg_cannot_open(tmp_path):
    shape = {"duration": 2.0, "num_channels": 1, "sample_rate": 16_000}
    rows = [recording(name, uri=f"{name}://host/a.wav", **shape) for name in ("s3", "gs", "https")]
    output = add_run(tmp_path / "out", "1", rows, [segment(name) for name in ("s3", "gs", "https")])
    report = export(output, Folder(str(tmp_path / "kaldi")), ExportOptions("kaldi"))
    assert report.exported["recordings"] == 1
    assert [left.why for left in report.left_out] == [
        f"ffmpeg cannot open {scheme}://; --audio wav writes clips" for scheme in ("gs", "s3")
    ]
    assert "https://host/a.wav" in (tmp_path / "kaldi/wav.scp").read_text()


def test_kaldi_is_told_only_of_files_that_it_reads_itself(tmp_path):
    shape = {"duration": 2.0, "num_channels": 1, "sample_rate": 16_000, "codec": "pcm_s16le"}
    others = {"a.flac": {"codec": "flac"}, "b.wav": {"codec": "pcm_mulaw"}, "c.wav": {"sample_rate": 8000}}
    rows = [recording(name, uri=f"file:///{name}", **shape | more) for name, more in {**others, "d.wav": {}}.items()]
    output = add_run(tmp_path / "out", "1", rows, [segment(name) for name in (*others, "d.wav")])
    export(output, Folder(str(tmp_path / "kaldi")), ExportOptions("kaldi"))
    places = [line.split(" ", 1)[1] for line in (tmp_path / "kaldi/wav.scp").read_text().splitlines()]
    assert [place.endswith("|") for place in places] == [True, True, True, False]
    assert places[3] == "/d.wav"


@pytest.mark.parametrize(("audio", "is_command"), [("flac", True), ("wav", False)])
def test_kaldi_reads_clips_of_flac_by_a_command(made, tmp_path, audio, is_command):
    run(made, tmp_path, "kaldi", audio=audio)
    lines = (tmp_path / "wav.scp").read_text().splitlines()
    assert lines and all(line.endswith("|") == is_command for line in lines)


def test_kaldi_wants_channel_10_before_channel_2(tmp_path):
    rows = [recording("many", num_channels=12, duration=2.0, sample_rate=16_000)]
    output = add_run(tmp_path / "out", "1", rows, [segment("many", channel=channel) for channel in range(12)])
    export(output, Folder(str(tmp_path / "kaldi")), ExportOptions("kaldi"))
    for name in ("wav.scp", "text", "segments", "utt2spk", "spk2utt"):
        keys = [line.split()[0] for line in (tmp_path / "kaldi" / name).read_text().splitlines()]
        assert keys == sorted(keys, key=str.encode)
