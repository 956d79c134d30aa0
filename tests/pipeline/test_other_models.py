"""`funasr-beam transcribe` with other families, a remote service and an aligner, from recording to row."""

import shutil
import string
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from funasr_beam.pipeline.cli import main
from tests.tiny_families import build_wav2vec2, build_whisper
from tests.transcription_server import KEY, serve_transcriptions

SAMPLE = Path(__file__).parent.parent.parent / "samples" / "calls" / "en-mono.wav"

pytestmark = pytest.mark.slow


def transcribe(folder, output, *arguments):
    return main(["transcribe", str(folder), "--output", str(output), "--max-failed", "100%", *map(str, arguments)])


def rows(output, table):
    return pq.read_table(output / table).to_pylist()


@pytest.fixture
def recordings(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    shutil.copy2(SAMPLE, folder)
    return folder


def test_a_whisper_checkpoint_with_a_letter_aligner(recordings, tmp_path):
    whisper = build_whisper(tmp_path / "whisper")
    aligner = build_wav2vec2(tmp_path / "aligner", string.ascii_lowercase)
    options = ("--set", f'alignment.wav2vec2.*="{aligner}"', "--set", "alignment.min_score=0")
    assert transcribe(recordings, tmp_path / "out", "--model", whisper, *options) == 0
    segments = rows(tmp_path / "out", "segments")
    timed = [row for row in segments if row["words"]]
    assert {row["timestamp_source"] for row in segments} <= {"wav2vec2", "none"}
    assert any(row["alignment_score"] is not None for row in segments)
    for row in timed:
        assert 0 <= row["alignment_score"] <= 1
        assert all(row["start"] - 1e-6 <= word["start"] < word["end"] <= row["end"] + 1e-6 for word in row["words"])


def test_a_remote_model_and_no_key_anywhere(recordings, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FUNASR_BEAM_API_KEY", KEY)
    with serve_transcriptions() as server:
        assert transcribe(recordings, tmp_path / "out", "--model", f"{server.url}#tiny") == 0
        host = server.url.split("/")[2]
    (recording,) = rows(tmp_path / "out", "recordings")
    assert recording["status"] == "ok"
    assert (recording["model_id"], recording["model_sha256"]) == (f"tiny@{host}", None)
    assert {row["timestamp_source"] for row in rows(tmp_path / "out", "segments")} == {"none"}
    written = b"".join(path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert KEY.encode() not in written
    assert KEY not in "".join(capsys.readouterr())


def test_a_wrong_key_ends_the_run_with_a_message_before_work_begins(recordings, tmp_path, capsys):
    with serve_transcriptions() as server:
        server.door = 401
        assert transcribe(recordings, tmp_path / "out", "--model", f"{server.url}#tiny") == 3
        assert server.heard == []
    assert "wants a key; set FUNASR_BEAM_API_KEY" in capsys.readouterr().err
