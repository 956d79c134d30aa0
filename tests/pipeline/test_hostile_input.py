"""A folder of hostile files through the whole command: one terminal row each, the right cause, nothing touched."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from funasr_beam.pipeline.cli import main
from tests.hostile_media import make_hostile_set

pytestmark = pytest.mark.slow


def test_every_hostile_file_becomes_one_row_with_its_cause(tmp_path):
    files = [file for file in make_hostile_set(tmp_path / "in") if file.path.is_file()]
    manifest = tmp_path / "manifest.jsonl"
    manifest.write_text("".join(json.dumps({"uri": str(file.path)}) + "\n" for file in files), encoding="utf-8")
    output = tmp_path / "out"
    arguments = ["--output", str(output), "--model", "demo", "--max-failed", "100%"]
    assert main(["transcribe", str(manifest), *arguments]) == 0
    rows = {row["uri"].removeprefix("file://"): row for row in pq.read_table(output / "recordings").to_pylist()}
    assert rows.keys() == {str(file.path) for file in files}
    for file in files:
        row = rows[str(file.path)]
        code = row["error_code"] or "ok"
        assert code in file.expected, f"{file.id}: {row['status']}, {row['error_detail']}"
        assert (row["text"] is None) == (row["status"] == "failed")
    assert not list(Path(tmp_path / "in").glob("*.tmp"))
