"""The command `funasr-beam transcribe` on real recordings with the checkpoint that ships with the project."""

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from funasr_beam.model import devices
from funasr_beam.model.tables import TABLES
from funasr_beam.model.transcripts import UnitTranscriber, load_transcriber
from funasr_beam.pipeline.cli import main

SAMPLES = Path(__file__).parent.parent.parent / "samples"

pytestmark = pytest.mark.slow


def transcribe(*arguments):
    return main(["transcribe", *map(str, arguments), "--model", "demo", "--max-failed", "100%"])


def rows(output, table="recordings"):
    return pq.read_table(output / table).to_pylist()


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A few short recordings of different kinds."""
    folder = tmp_path_factory.mktemp("inputs")
    for path in short_samples():
        shutil.copy2(path, folder / path.name)
    return folder


def short_samples():
    files = [path for path in SAMPLES.rglob("*") if path.suffix in (".wav", ".flac", ".opus", ".m4a")]
    return [path for path in files if path.stat().st_size < 1_500_000]


@pytest.fixture(scope="module")
def finished(inputs, tmp_path_factory):
    """An output with one finished run over the inputs."""
    output = tmp_path_factory.mktemp("outputs") / "out"
    assert transcribe(inputs, "--output", output) == 0
    return output


def test_every_input_has_one_terminal_row(inputs, finished):
    assert sorted(Path(row["uri"]).name for row in rows(finished)) == sorted(path.name for path in inputs.iterdir())


def test_text_comes_with_words_on_the_recordings_clock(finished):
    recordings = {row["recording_id"]: row for row in rows(finished)}
    segments = [row for row in rows(finished, "segments") if row["words"]]
    assert segments
    for segment in segments:
        assert segment["timestamp_source"] == "ctc"
        times = [(word["start"], word["end"]) for word in segment["words"]]
        assert times == sorted(times)
        assert segment["start"] - 0.001 <= times[0][0] and times[-1][1] <= segment["end"] + 0.001
        assert segment["end"] <= recordings[segment["recording_id"]]["duration"] + 0.001


def test_good_speech_is_recognised_once_without_a_flag_in_the_language_of_its_text(finished):
    segments = [row for row in rows(finished, "segments") if row["text"]]
    assert {(tuple(row["flags"]), row["attempt"], row["language_source"]) for row in segments} == {((), 1, "detected")}
    assert all(row["language"] == ("en" if row["text_raw"].isascii() else "zh") for row in segments)
    assert all(row["speech_probability"] > 0.8 and 0 < row["confidence"] <= 1 for row in segments)
    assert all(0 < word["confidence"] <= 1 for row in segments for word in row["words"])


def test_a_failure_is_no_silence_and_silence_is_no_failure(finished):
    found = rows(finished)
    failed = [row for row in found if row["status"] == "failed"]
    silent = [row for row in found if row["status"] == "no_speech"]
    assert failed and all(row["text"] is None and row["error_code"] and row["error_detail"] for row in failed)
    assert silent and all(row["text"] == "" and row["error_code"] is None for row in silent)


def test_raw_speech_is_kept_for_each_channel(finished):
    spoken = {row["recording_id"] for row in rows(finished, "speech")}
    assert {row["recording_id"] for row in rows(finished) if row["status"] == "ok"} <= spoken


def test_the_tables_have_the_documented_columns(finished):
    for name, schema in TABLES.items():
        (part,) = (finished / name).glob("run=*/*.parquet")
        assert pq.read_schema(part) == schema


def test_metrics_equal_a_recomputation_from_the_tables(finished):
    (path,) = finished.glob("runs/*/metrics.json")
    metrics = json.loads(path.read_text())
    recordings, segments = rows(finished), rows(finished, "segments")
    for status, count in metrics["recordings"].items():
        assert count == sum(row["status"] == status for row in recordings)
    assert metrics["audio_hours"] == pytest.approx(sum(row["duration"] or 0 for row in recordings) / 3600)
    assert metrics["segments"]["count"] == len(segments)
    assert metrics["segments"]["characters"] == sum(len(row["text"] or "") for row in segments)
    assert metrics["segments"]["words"] == sum(row["num_words"] for row in recordings)


def test_every_row_names_what_made_it(finished):
    for row in rows(finished):
        assert row["model_id"] and len(row["model_sha256"]) == 64
        assert row["config_hash"] and row["pipeline_version"] and row["vad_version"] and row["itn_version"]


def test_a_run_leaves_a_page_about_itself(finished):
    (page,) = finished.glob("runs/*/report.html")
    assert f"{len(rows(finished))} recordings" in page.read_text()
    assert f"Run {page.parent.name}" in page.read_text()


def test_nothing_is_left_in_the_work_folder(finished):
    assert [path for path in (finished / "_work").rglob("*") if path.is_file() and path.name != "lock"] == []


def test_the_same_command_again_does_nothing_again(inputs, finished, tmp_path, monkeypatch):
    output = tmp_path / "out"
    shutil.copytree(finished, output)
    monkeypatch.setattr("funasr_beam.pipeline.flow.build", lambda *_: pytest.fail("something was transcribed again"))
    assert transcribe(inputs, "--output", output) == 0
    assert len(rows(output)) == len(rows(finished))
    newest = max(output.glob("runs/*/metrics.json"), key=lambda path: path.parent.name)
    assert json.loads(newest.read_text())["recordings"]["unchanged"] == len(rows(finished))


def test_a_changed_file_is_transcribed_again_and_alone(inputs, finished, tmp_path):
    folder, output = tmp_path / "in", tmp_path / "out"
    shutil.copytree(inputs, folder)
    assert transcribe(folder, "--output", output) == 0
    before = len(rows(output))
    changed = min((path for path in folder.iterdir() if path.stat().st_size > 1000), key=lambda p: p.stat().st_size)
    changed.write_bytes(changed.read_bytes()[:-40])
    assert transcribe(folder, "--output", output) == 0
    assert len(rows(output)) == before + 1


def test_what_is_partial_is_tried_again_when_that_is_wanted(inputs, finished, tmp_path):
    output = tmp_path / "out"
    shutil.copytree(finished, output)
    partial = [row["uri"] for row in rows(finished) if row["status"] == "partial"]
    assert partial
    assert transcribe(inputs, "--output", output, "--retry", "partial") == 0
    newest = max(output.glob("recordings/*"), key=lambda path: path.name)
    again = pq.read_table(newest).to_pylist()
    assert [(row["uri"], row["attempts"]) for row in again] == [(uri, 2) for uri in partial]
    assert main(["compare", str(finished), str(output)]) == 0


def test_units_and_batches_do_not_change_the_tables(inputs, finished, tmp_path):
    output = tmp_path / "out"
    settings = ["--set", "plan.unit_s=5", "--set", "batching.max_items=1", "--workers", "1"]
    assert transcribe(inputs, "--output", output, *settings) == 0
    assert main(["compare", str(finished), str(output)]) == 0


def test_a_recogniser_in_a_process_of_its_own_writes_the_same_tables(inputs, finished, tmp_path):
    output = tmp_path / "out"
    assert transcribe(inputs, "--output", output, "--set", "recognition.process=own") == 0
    assert main(["compare", str(finished), str(output)]) == 0


def test_two_devices_share_the_units_and_write_the_same_tables(inputs, finished, tmp_path, monkeypatch):
    def note(transcriber, unit):
        by.add(id(transcriber))
        return transcribe_unit(transcriber, unit)

    by, transcribe_unit = set(), UnitTranscriber.transcribe
    monkeypatch.setattr(UnitTranscriber, "transcribe", note)
    monkeypatch.setattr(devices, "device_names", lambda _: ["cpu", "cpu"])
    load_transcriber.cache_clear()
    output = tmp_path / "out"
    assert transcribe(inputs, "--output", output, "--set", "plan.unit_s=5", "--workers", "4") == 0
    load_transcriber.cache_clear()
    assert len(by) == 2
    assert main(["compare", str(finished), str(output)]) == 0


def test_compare_shows_what_differs(inputs, finished, tmp_path, capsys):
    output = tmp_path / "out"
    assert transcribe(inputs, "--output", output, "--itn", "none") == 0
    code = main(["compare", str(finished), str(output)])
    assert code == 1
    assert "config_hash" in capsys.readouterr().out


def test_status_tells_what_is_done_and_what_failed(finished, capsys):
    assert main(["status", str(finished), "--json"]) == 0
    status = json.loads(capsys.readouterr().out)
    assert sum(status["statuses"].values()) == len(rows(finished))
    assert {trouble["uri"] for trouble in status["troubles"]} == {
        row["uri"] for row in rows(finished) if row["status"] in ("failed", "partial")
    }
    assert main(["status", str(finished)]) == 0
    assert "finished run" in capsys.readouterr().out


def test_too_many_failures_are_exit_code_1(inputs, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/broken.wav").write_text("no audio at all")
    arguments = ["transcribe", str(tmp_path / "in"), "--model", "demo", "--output"]
    assert main([*arguments, str(tmp_path / "strict")]) == 1
    assert main([*arguments, str(tmp_path / "lenient"), "--max-failed", "100%"]) == 0


def test_a_manifest_carries_ids_references_and_metadata_into_the_rows(inputs, tmp_path):
    name = next(path.name for path in inputs.iterdir() if path.stat().st_size > 1000)
    manifest = tmp_path / "m.jsonl"
    manifest.write_text(json.dumps({"uri": str(inputs / name), "id": "call-1", "reference": "hello", "agent": "Jo"}))
    assert transcribe(manifest, "--output", tmp_path / "out") == 0
    (row,) = rows(tmp_path / "out")
    assert (row["recording_id"], row["reference"], dict(row["metadata"])) == ("call-1", "hello", {"agent": "Jo"})


def test_part_files_are_read_as_one_table_by_arrow(finished):
    assert isinstance(pq.read_table(finished / "segments"), pa.Table)
