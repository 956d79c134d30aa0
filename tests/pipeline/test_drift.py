"""Drift of an output's newest run, from what each run has left."""

import json

import numpy as np
import pytest

from funasr_beam.pipeline.cli import main
from funasr_beam.pipeline.config import MetricsConfig
from funasr_beam.pipeline.drift import drift_of_unfinished
from funasr_beam.pipeline.metrics import RunFacts, write_metrics
from funasr_beam.pipeline.run_folder import Run
from tests.pipeline.outputs import add_run, recording


def add_night(root, day, count=60, confidence=0.9, finished=True, excluded=0):
    generator = np.random.default_rng(day)
    run_id = f"202601{day:02d}T000000Z-aaaaaa"
    rows = [
        recording(
            f"{day}-{place}",
            duration=float(generator.uniform(10, 60)),
            speech_duration=8.0,
            num_channels=1,
            language="en",
            codec="mp3",
            confidence=float(np.clip(generator.normal(confidence, 0.05), 0, 1)),
        )
        for place in range(count)
    ]
    rows += [recording(f"{day}-{place}.json", "skipped", error_code="excluded") for place in range(excluded)]
    output = add_run(root, run_id, rows, finished=finished)
    write_metrics(output, Run(run_id, "h", ""), MetricsConfig(group_by=()), RunFacts(1.0, 0))
    return output


@pytest.fixture
def output(tmp_path):
    for day in range(1, 6):
        made = add_night(tmp_path, day)
    return made


def test_a_night_like_the_others_is_quiet(output, capsys):
    assert main(["drift", output.show()]) == 0
    assert "against 4 earlier: 0 of" in capsys.readouterr().out


def test_a_night_that_is_different_is_in_the_exit_code_and_named(output, tmp_path, capsys):
    add_night(tmp_path, 6, confidence=0.7)
    assert main(["drift", output.show()]) == 1
    shown = capsys.readouterr().out
    assert "1 of" in shown
    assert "confidence" in shown
    assert main(["drift", output.show(), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["alarms"] == ["confidence"]
    assert main(["drift", output.show(), "--run", "20260105T000000Z-aaaaaa"]) == 0


def test_only_the_last_runs_with_enough_recordings_are_compared_with(output, tmp_path, capsys):
    add_night(tmp_path, 6, count=2)
    add_night(tmp_path, 7)
    assert main(["drift", output.show(), "--runs", "3", "--json"]) == 0
    baseline = json.loads(capsys.readouterr().out)["baseline"]
    assert [run_id[6:8] for run_id in baseline] == ["03", "04", "05"]


def test_the_first_run_has_nothing_to_be_compared_with(tmp_path, capsys):
    output = add_night(tmp_path, 1)
    assert main(["drift", output.show()]) == 0
    assert "no earlier run" in capsys.readouterr().out


def test_a_run_that_is_not_there_is_told_with_those_that_are(output, capsys):
    assert main(["drift", output.show(), "--run", "x"]) == 2
    assert "20260105T000000Z-aaaaaa" in capsys.readouterr().err


def test_a_run_that_is_about_to_finish_is_compared_with_the_finished_ones(output, tmp_path):
    add_night(tmp_path, 6, confidence=0.7, finished=False)
    found = drift_of_unfinished(output, "20260106T000000Z-aaaaaa")
    assert len(found.baseline) == 5
    assert [check.name for check in found.alarms] == ["confidence"]


def test_a_run_that_found_everything_done_is_quiet(output, tmp_path):
    add_night(tmp_path, 6, count=0)
    assert main(["drift", output.show()]) == 0


def test_an_earlier_run_whose_metrics_are_damaged_is_left_out(output, tmp_path, capsys, caplog):
    (tmp_path / "runs/20260104T000000Z-aaaaaa/metrics.parquet").write_bytes(b"x")
    assert main(["drift", output.show()]) == 0
    assert "20260104T000000Z-aaaaaa/metrics.parquet: is damaged" in caplog.text


def test_more_files_left_out_on_purpose_than_recordings_are_no_drift(output, tmp_path):
    add_night(tmp_path, 6, excluded=200)
    assert main(["drift", output.show()]) == 0
    add_night(tmp_path, 7)
    assert main(["drift", output.show()]) == 0
