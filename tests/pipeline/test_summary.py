"""What a run prints at its end."""

import pyarrow as pa

from funasr_beam.model.metrics.dataset import DatasetMetrics
from funasr_beam.model.metrics.summary import Prices, summarize_run
from funasr_beam.model.storage import Folder
from funasr_beam.model.tables import TABLES
from funasr_beam.pipeline.summary import print_summary
from funasr_beam.pipeline.transcription import RunReport
from tests.pipeline.outputs import recording


def shown(root, capsys, *rows, share=1.0, **more):
    metrics = DatasetMetrics()
    metrics.add_recordings(pa.Table.from_pylist(list(rows), schema=TABLES["recordings"]))
    told = summarize_run(metrics, Prices(), wall_s=10.0, unchanged=0, share=share)
    told |= {"drift": [], "regressions": {"kept_older": 0, "dropped": 0}, "left_out_endings": {}} | more
    print_summary(RunReport("run1", Folder(str(root)), told), max_failed=1.0)
    return capsys.readouterr().out


def test_there_is_no_more_speech_than_audio_where_both_channels_speak(tmp_path, capsys):
    call = recording(duration=3600.0, speech_duration=5400.0, num_channels=2, channel_layout="stereo")
    assert "1.00 h, of it speech 75.0 %" in shown(tmp_path, capsys, call)


def test_a_run_without_any_audio_names_no_share_of_speech(tmp_path, capsys):
    told = shown(tmp_path, capsys, recording(status="failed", error_code="empty_file"))
    assert "0.00 h" in told and "speech " not in told.split("recordings")[0]


def test_the_speed_of_a_run_that_goes_on_is_that_of_the_audio_it_still_had_to_do(tmp_path, capsys):
    hour = recording(duration=3600.0, speech_duration=3000.0, num_channels=1)
    assert "10.0 s, 360 x realtime" in shown(tmp_path, capsys, hour)
    assert "10.0 s, 36 x realtime" in shown(tmp_path, capsys, hour, share=0.1)


def test_the_most_frequent_endings_that_were_left_out_are_named(tmp_path, capsys):
    row = recording(status="skipped", error_code="excluded")
    told = shown(tmp_path, capsys, row, left_out_endings={f".{letter}": 1000 for letter in "abcdefghij"})
    assert "endings: .a (1,000), .b" in " ".join(told.split())
    assert ".h (1,000), ..." in " ".join(told.split())
    assert "by their endings" not in shown(tmp_path, capsys, row)
