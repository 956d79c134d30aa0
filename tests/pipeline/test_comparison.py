import subprocess
import sys

import pytest

from funasr_beam.pipeline.comparison import compare_outputs
from tests.pipeline.outputs import add_run, recording

SEGMENT = {"segment_id": "s", "recording_id": "a-1", "text": "hello", "start": 0.5}


def differences(left, right):
    return [(d.table, d.key, d.detail) for d in compare_outputs(left, right)]


def test_runs_cost_and_time_make_no_difference(tmp_path):
    left = add_run(tmp_path / "a", "1", [recording(cpu_s=1.0, attempts=1)], [SEGMENT])
    right = add_run(tmp_path / "b", "2", [recording(cpu_s=9.0, attempts=3)], [SEGMENT])
    assert differences(left, right) == []


def test_a_changed_word_is_shown_with_both_values(tmp_path):
    left = add_run(tmp_path / "a", "1", [recording()], [SEGMENT])
    right = add_run(tmp_path / "b", "1", [recording()], [{**SEGMENT, "text": "hullo"}])
    assert differences(left, right) == [("segments", "s", 'text: "hello" | "hullo"')]


@pytest.mark.parametrize("readers", ["", " | true"])
def test_a_difference_is_in_the_exit_code_whoever_reads_it(tmp_path, readers):
    one = add_run(tmp_path / "one", "run1", [recording(f"{place}") for place in range(3_000)])
    other = add_run(tmp_path / "other", "run1", [])
    command = f"{sys.executable} -m funasr_beam.pipeline compare {one.show()} {other.show()} --most 100000"
    shell = ["bash", "-c", f"set -o pipefail; {command}{readers} > /dev/null"]
    assert subprocess.run(shell, check=False).returncode == 1


def test_a_missing_row_is_named(tmp_path):
    left = add_run(tmp_path / "a", "1", [recording(), recording("b")])
    right = add_run(tmp_path / "b", "1", [recording()])
    ((table, key, detail),) = differences(left, right)
    assert (table, key) == ("recordings", "b-1")
    assert "only in" in detail


def test_only_current_rows_are_compared(tmp_path):
    add_run(tmp_path / "a", "1", [recording(status="failed", error_code="decode_timeout")])
    left = add_run(tmp_path / "a", "2", [recording()])
    right = add_run(tmp_path / "b", "1", [recording()])
    assert differences(left, right) == []


def test_the_last_bits_of_a_score_make_no_difference_but_a_tenth_of_a_percent_does(tmp_path):
    def output(name, confidence):
        return add_run(tmp_path / name, "1", [recording()], [{**SEGMENT, "confidence": confidence}])

    assert differences(output("a", 0.9), output("b", 0.9 + 1e-7)) == []
    assert differences(output("c", 0.9), output("d", 0.901)) == [("segments", "s", "confidence: 0.9 | 0.901")]


def test_a_missing_number_is_a_difference(tmp_path):
    left = add_run(tmp_path / "a", "1", [recording()], [{**SEGMENT, "confidence": 0.0}])
    right = add_run(tmp_path / "b", "1", [recording()], [SEGMENT])
    assert differences(left, right) == [("segments", "s", "confidence: 0.0 | null")]
