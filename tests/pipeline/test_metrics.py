"""Metrics of an output: every number equals its recomputation from the tables."""

import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from funasr_beam.model.metrics.dataset import compression_ratio
from funasr_beam.model.metrics.groups import parse_grouping
from funasr_beam.model.metrics.summary import Prices, summarize
from funasr_beam.pipeline.cli import main
from funasr_beam.pipeline.metrics import measure_output, metrics_table
from tests.pipeline.outputs import add_run, recording

QUANTILES = (1, 10, 25, 50, 75, 90, 99)
PRICES = Prices(0.04, 2.0)


def random_rows(count, seed=3):
    """Recordings of every kind with their segments."""
    generator = np.random.default_rng(seed)
    recordings, segments = [], []
    for place in range(count):
        name, status = f"r{place}", generator.choice(["ok", "partial", "no_speech", "failed", "skipped"])
        language = [None, "en", "zh"][generator.integers(3)]
        spoken = status in ("ok", "partial")
        made = [random_segment(generator, name, index, language) for index in range(generator.integers(1, 5) * spoken)]
        segments += made
        recordings.append(random_recording(generator, name, status, language, made))
    return recordings, segments


def random_recording(generator, name, status, language, made):
    duration = None if status in ("failed", "skipped") else round(generator.uniform(5, 600), 4)
    errors = {"hits": 7, "substitutions": 2, "deletions": 1, "insertions": int(generator.integers(4))}
    scored = generator.random() < 0.4
    return {
        "recording_id": name,
        "uri": f"file:///in/{'ab'[generator.integers(2)]}/{name}.wav",
        "fingerprint": "1",
        "status": status,
        "error_code": {"failed": "not_media", "partial": "truncated"}.get(status),
        "duration": duration,
        "speech_duration": None if duration is None else round(duration * generator.uniform(0.2, 1), 4),
        "channel_layout": ["mono", "stereo", "dual_mono"][generator.integers(3)],
        "num_channels": int(generator.integers(1, 3)),
        "language": language,
        "num_segments": len(made),
        "num_characters": 10 * len(made),
        "flags": sorted({flag for segment in made for flag in segment["flags"]}),
        "codec": "mp3",
        "confidence": round(generator.random(), 6) if made else None,
        "snr_db": round(generator.normal(20, 10), 6) if made else None,
        "word_errors": errors if scored else None,
        "normalizer": "english-1" if scored else None,
        "decode_s": generator.random(),
        "gpu_s": generator.random(),
        "metadata": [("queue", "sales" if generator.random() < 0.5 else "support")],
    }


def random_segment(generator, name, index, language):
    start = round(index * 10 + generator.random(), 4)
    failed = generator.random() < 0.2
    text = None if failed else " ".join(generator.choice(["hello", "there", "我们", "好"], generator.integers(0, 9)))
    return {
        "segment_id": f"{name}-{index}",
        "recording_id": name,
        "channel": int(generator.integers(2)),
        "start": start,
        "end": round(start + generator.uniform(0.5, 9), 4),
        "text": text,
        "text_raw": text,
        "language": language,
        "confidence": None if failed else round(generator.random(), 6),
        "flags": ["no_text"] if text == "" else [],
        "timestamp_source": "ctc" if generator.random() < 0.5 else "none",
        "snr_db": round(generator.normal(20, 10), 6),
        "error_code": "model_error" if failed else None,
        "words": None if failed else [{"word": word} for word in text.split()],
    }


@pytest.fixture(scope="module")
def rows():
    return random_rows(300)


@pytest.fixture(scope="module")
def output(rows, tmp_path_factory):
    return add_run(tmp_path_factory.mktemp("out"), "20260101T000000Z-aaaaaa", *rows)


@pytest.fixture(scope="module")
def frames(rows):
    recordings, segments = (pd.DataFrame(found) for found in rows)
    recordings["folder"] = recordings["uri"].str.rsplit("/", n=1).str[0]
    recordings["queue"] = recordings["metadata"].map(lambda pairs: dict(pairs)["queue"])
    return recordings, segments


def assert_recomputed(summary, recordings, segments):
    """Every number of a summary, anew from the rows, in other words."""
    assert {k: v for k, v in summary["recordings"].items() if v} == recordings["status"].value_counts().to_dict()
    assert summary["causes"] == recordings["error_code"].value_counts().to_dict()
    hours = recordings.groupby("status")["duration"].sum() / 3600
    assert summary["hours"] == pytest.approx(hours.to_dict(), rel=1e-9)
    assert summary["audio_hours"] == pytest.approx(recordings["duration"].sum() / 3600, rel=1e-9)
    assert summary["speech_hours"] == pytest.approx(recordings["speech_duration"].sum() / 3600, rel=1e-9)
    channels = recordings["num_channels"].where(recordings["channel_layout"] != "dual_mono", 1)
    heard = recordings["duration"] * channels
    assert summary["speech_ratio"] == pytest.approx(recordings["speech_duration"].sum() / heard.sum(), rel=1e-9)
    assert_recordings(summary["distributions"]["recordings"], recordings, heard)
    assert_segments(summary, segments)
    errors = pd.DataFrame(recordings["word_errors"].dropna().tolist())
    if len(errors):
        length = errors[["hits", "substitutions", "deletions"]].to_numpy().sum()
        wrong = errors[["substitutions", "deletions", "insertions"]].to_numpy().sum()
        assert summary["errors"]["words"]["rate"] == pytest.approx(wrong / length, rel=1e-12)
        assert summary["errors"]["words"]["recordings"] == len(errors)
    seconds = recordings["decode_s"].sum()
    assert summary["stage_seconds"]["decode_s"] == pytest.approx(seconds, abs=1e-6 * len(recordings))
    cost = seconds / 3600 * 0.04 + recordings["gpu_s"].sum() / 3600 * 2
    assert summary["cost"]["total"] == pytest.approx(cost, rel=1e-4)


def assert_recordings(found, recordings, heard):
    assert_distribution(found["duration_s"], recordings["duration"])
    assert_distribution(found["speech_ratio"], recordings["speech_duration"] / heard)
    assert_distribution(found["segments_per_min"], 60 * recordings["num_segments"] / heard)
    assert_distribution(found["confidence"], recordings["confidence"])
    assert_distribution(found["snr_db"], recordings["snr_db"])


def assert_segments(summary, segments):
    length = segments["end"] - segments["start"]
    assert summary["segments"]["count"] == len(segments)
    assert summary["segments"]["failed"] == segments["error_code"].notna().sum()
    assert summary["segments"]["characters"] == segments["text"].str.len().sum()
    assert summary["segments"]["words"] == segments["words"].str.len().sum()
    assert summary["segments"]["longest_s"] == length.max()
    assert summary["languages"] == segments["language"].fillna("unknown").value_counts().to_dict()
    language_hours = length.groupby(segments["language"].fillna("unknown")).sum() / 3600
    assert summary["language_hours"] == pytest.approx(language_hours.to_dict(), rel=1e-9)
    assert summary["timestamp_sources"] == segments["timestamp_source"].value_counts().to_dict()
    assert summary["flags"] == segments["flags"].explode().value_counts().to_dict()
    found = summary["distributions"]["segments"]
    assert_distribution(found["length_s"], length)
    assert_distribution(found["confidence"], segments["confidence"])
    assert_distribution(found["chars_per_s"], segments["text_raw"].str.len() / length)
    units = segments["text_raw"].str.count(r"[我们好]|[a-z]+")
    assert_distribution(found["words_per_min"], 60 * units / length)
    assert_distribution(found["repetition"], segments["text_raw"].dropna().map(compression_ratio))
    assert_distribution(found["snr_db"], segments["snr_db"])


def assert_distribution(found, values):
    values = np.asarray(values.dropna(), np.float64)
    assert found["count"] == len(values)
    if len(values):
        assert found["mean"] == pytest.approx(values.mean(), abs=2e-6)
        assert (found["min"], found["max"]) == pytest.approx((values.min(), values.max()), rel=1e-12)
        exact = np.quantile(values, [share / 100 for share in QUANTILES], method="inverted_cdf")
        assert [found[f"p{share}"] for share in QUANTILES] == pytest.approx(exact, rel=0.01, abs=0.051)


def test_every_metric_equals_its_recomputation(output, frames):
    assert_recomputed(summarize(measure_output(output).everything, PRICES), *frames)


@pytest.mark.parametrize(
    ("key", "column"), [("folder", "folder"), ("metadata.queue", "queue"), ("channel_layout", "channel_layout")]
)
def test_every_metric_of_a_group_equals_its_recomputation(output, frames, key, column):
    recordings, segments = frames
    groups = measure_output(output, [parse_grouping(key)]).groups[key]
    assert {name.removeprefix("file://") for name in groups} == {
        name.removeprefix("file://") for name in recordings[column]
    }
    for name, metrics in groups.items():
        chosen = recordings[recordings[column].str.removeprefix("file://") == name.removeprefix("file://")]
        own = segments[segments["recording_id"].isin(chosen["recording_id"])]
        assert_recomputed(summarize(metrics, PRICES), chosen, own)


def test_segments_are_grouped_by_their_own_channel_and_language(output, frames):
    _, segments = frames
    groups = measure_output(output, [parse_grouping("channel,language")]).groups["channel,language"]
    counts = segments.groupby(["channel", segments["language"].fillna("(none)")]).size()
    found = {name: summarize(metrics, PRICES)["segments"]["count"] for name, metrics in groups.items()}
    assert found == {f"{channel}, {language}": count for (channel, language), count in counts.items()}


def test_groups_add_up_to_everything(output):
    metrics = measure_output(output, [parse_grouping("folder,metadata.queue")])
    total, *others = metrics.groups["folder,metadata.queue"].values()
    for other in others:
        total.merge(other)
    assert total == metrics.everything


def test_many_small_groups_are_counted_together(output, monkeypatch):
    monkeypatch.setattr("funasr_beam.pipeline.metrics.MAX_GROUPS", 5)
    groups = measure_output(output, [parse_grouping("recording_id")]).groups["recording_id"]
    counts = {name: metrics.counter("statuses").total() for name, metrics in groups.items()}
    assert len(counts) == 6
    assert counts["(other)"] == 295


def test_the_table_holds_the_same_numbers_with_the_bins(output, tmp_path):
    metrics = measure_output(output, [parse_grouping("metadata.queue")])
    summary = summarize(metrics.everything, PRICES)
    rows = metrics_table(metrics, PRICES, "run", summary).to_pylist()
    whole = {row["metric"]: row for row in rows if row["group"] is None}
    assert whole["segments.count"]["value"] == summary["segments"]["count"]
    assert whole["distributions.segments.confidence.p50"]["value"] == summary["confidence"]["p50"]
    lengths = whole["distributions.segments.length_s"]
    assert sum(found["count"] for found in lengths["bins"]) == lengths["value"] == summary["segments"]["count"]
    assert {row["group"] for row in rows} == {None, "sales", "support"}


def test_the_command_prints_json_a_table_and_writes_parquet(output, tmp_path, capsys):
    assert main(["metrics", output.show(), "--group-by", "metadata.queue", "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert set(summary["groups"]["metadata.queue"]) == {"sales", "support"}
    table = tmp_path / "m.parquet"
    assert main(["metrics", output.show(), "--group-by", "language", "--write", str(table)]) == 0
    assert "by language" in capsys.readouterr().out
    assert pq.read_table(table).num_rows > 100


def test_a_key_that_does_not_exist_is_told_with_those_that_do(output, capsys):
    assert main(["metrics", output.show(), "--group-by", "quue"]) == 2
    assert "metadata.NAME" in capsys.readouterr().err


def test_metadata_that_no_recording_has_is_told_with_what_there_is(output, tmp_path, capsys):
    assert main(["metrics", output.show(), "--group-by", "metadata.quue"]) == 0
    assert "no recording has metadata.quue; there are metadata.queue" in capsys.readouterr().err
    assert main(["metrics", output.show(), "--group-by", "language,metadata.queue"]) == 0
    assert capsys.readouterr().err == ""
    bare = add_run(tmp_path / "bare", "1", [recording("a")])
    assert main(["metrics", bare.show(), "--group-by", "metadata.queue"]) == 0
    assert "none has any metadata" in capsys.readouterr().err


def test_a_run_that_does_not_exist_is_told_with_those_that_do(output, capsys):
    assert main(["metrics", output.show(), "--run", "x"]) == 2
    assert "20260101T000000Z-aaaaaa" in capsys.readouterr().err


def test_rows_of_an_earlier_version_without_the_newer_columns_are_counted(rows, tmp_path):
    output = add_run(tmp_path, "20260101T000000Z-aaaaaa", *rows)
    for path in tmp_path.glob("*/run=*/*.parquet"):
        table = pq.ParquetFile(path).read()
        newer = [name for name in ("clipping", "bandwidth_hz", "word_errors", "decode_s") if name in table.column_names]
        pq.write_table(table.drop_columns(newer), path)
    assert measure_output(output).everything.counter("statuses").total() == 300
