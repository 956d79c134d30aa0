"""The selection funnel: exactly the segments that pass, exactly what each step leaves."""

import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from funasr_beam.pipeline.cli import main
from tests.pipeline.outputs import add_run, recording, segment

RUN = "20260101T000000Z-aaaaaa"


def segments(count, seed=0, change=lambda text: text):
    generator = np.random.default_rng(seed)
    for place in range(count):
        text = " ".join(generator.choice(["yes", "no", "maybe", "我们"], 6)) if generator.random() > 0.1 else None
        yield {
            "segment_id": f"s{place}",
            "recording_id": "a-1",
            "channel": 0,
            "start": float(place * 10),
            "end": float(place * 10 + generator.uniform(1, 9)),
            "text": text,
            "text_raw": None if text is None else change(text),
            "error_code": None if text else "model_error",
            "language": ["en", "zh"][generator.integers(2)],
            "confidence": generator.random() if text else None,
            "snr_db": float(generator.normal(20, 8)) if generator.random() > 0.1 else None,
            "clipping": float(generator.choice([0.0, 0.01])),
            "bandwidth_hz": float(generator.choice([4000.0, 8000.0])),
            "chars_per_s": float(generator.uniform(2, 20)),
            "flags": ["loop"] if generator.random() < 0.2 else [],
        }


def make(root, **options):
    return add_run(root, RUN, [recording("a", duration=9000.0)], list(segments(400, **options)))


@pytest.fixture
def output(tmp_path):
    return make(tmp_path / "out")


def funnel(capsys, output, *options):
    assert main(["select", output.show(), *options, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


OPTIONS = ["--language", "en", "--min-s", "2", "--max-s", "8", "--min-confidence", "0.3", "--min-snr", "15"]
OPTIONS += ["--max-clipping", "0.001", "--min-bandwidth", "7000", "--min-chars-per-s", "3", "--max-chars-per-s", "18"]
OPTIONS += ["--without-flags", "--where", "text not like '%maybe maybe%'"]


def test_every_step_leaves_what_a_recomputation_leaves(output, capsys):
    rows = pd.DataFrame(segments(400))
    length = rows["end"] - rows["start"]
    conditions = [
        rows["start"] >= 0,
        rows["text"].notna(),
        rows["language"] == "en",
        length >= 2,
        length <= 8,
        rows["confidence"] >= 0.3,
        rows["snr_db"] >= 15,
        rows["clipping"] <= 0.001,
        rows["bandwidth_hz"] >= 7000,
        rows["chars_per_s"] >= 3,
        rows["chars_per_s"] <= 18,
        rows["flags"].str.len() == 0,
        ~rows["text"].str.contains("maybe maybe", na=False),
    ]
    passed = np.ones(len(rows), bool)
    found = funnel(capsys, output, *OPTIONS)
    assert len(found) == len(conditions)
    for step, condition in zip(found, conditions, strict=True):
        passed &= condition
        assert step["segments"] == passed.sum(), step["step"]
        assert step["seconds"] == pytest.approx(length[passed].sum())
    assert 0 < found[-1]["segments"] < 100


@pytest.mark.parametrize("ending", ["parquet", "jsonl"])
def test_what_is_written_is_what_remains(output, tmp_path, capsys, ending):
    target = tmp_path / f"corpus.{ending}"
    left = funnel(capsys, output, "--min-confidence", "0.9", "--output", str(target))[-1]
    read = pq.read_table(target).to_pylist() if ending == "parquet" else list(map(json.loads, target.open()))
    assert len(read) == left["segments"] > 0
    assert {row["confidence"] > 0.9 for row in read} == {True}
    if ending == "parquet":
        assert {row["uri"] for row in read} == {"file:///a.wav"}
    else:
        assert sum(row["duration"] for row in read) == pytest.approx(left["seconds"], abs=0.01)
        assert {row["audio_filepath"] for row in read} == {"/a.wav"}
    assert sorted(path.name for path in tmp_path.iterdir()) == [target.name, "out"]


def test_a_manifest_names_the_channel_of_a_recording_that_has_several_in_a_fixed_order(tmp_path, capsys):
    rows = [recording("b", num_channels=2), recording("a", num_channels=1)]
    spoken = [segment("b", 5.0, 6.0, channel=1), segment("b", channel=1), segment("b"), segment("a")]
    output = add_run(tmp_path / "out", RUN, rows, spoken)
    funnel(capsys, output, "--output", str(tmp_path / "corpus.jsonl"))
    lines = [json.loads(line) for line in (tmp_path / "corpus.jsonl").open()]
    found = [(line["audio_filepath"], line["offset"], line.get("channel_selector")) for line in lines]
    assert found == [("/a.wav", 0.0, None), ("/b.wav", 0.0, 0), ("/b.wav", 0.0, 1), ("/b.wav", 5.0, 1)]


def test_agreement_is_with_the_same_segment_of_the_other_output(output, tmp_path, capsys):
    other = make(tmp_path / "other", change=lambda text: text.replace("no", "know"))
    target = tmp_path / "corpus.parquet"
    options = ["--agree-with", other.show(), "--min-agreement", "0.8", "--output", str(target)]
    left = funnel(capsys, output, *options)[-1]
    read = pq.read_table(target).to_pylist()
    assert len(read) == left["segments"] > 0
    for row in read:
        assert row["agreement"] == pytest.approx(agreed(row["text"]))
    texts = [row["text"] for row in segments(400) if row["text"]]
    assert left["segments"] == sum(agreed(text) >= 0.8 for text in texts)


def agreed(text):
    """One word in so many units has changed: each of six words is one, of two characters two."""
    return 1 - text.split().count("no") / (6 + text.count("我们"))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--min-agreement", "0.9"], "--agree-with"),
        (["--where", "nonsense > 3"], "nonsense"),
        (["--where", "false) OR (true"], "--where cannot be used"),
        (["--where", ""], "--where cannot be used"),
        (["--where", "text::INTEGER = 1"], "--where cannot be used"),
        (["--output", "corpus.csv"], ".parquet or .jsonl"),
    ],
)
def test_mistakes_are_messages(output, capsys, options, told):
    assert main(["select", output.show(), *options]) == 2
    assert told in capsys.readouterr().err


def test_the_table_shows_what_each_step_costs(output, capsys):
    assert main(["select", output.show(), "--min-snr", "20"]) == 0
    shown = capsys.readouterr().out
    assert "SNR >= 20" in shown
    assert "all segments" in shown


def test_a_language_may_be_told_by_its_name_and_an_unknown_one_is_a_mistake(output, capsys):
    by_code = funnel(capsys, output, "--language", "zh")
    assert by_code[2]["segments"] > 0
    assert funnel(capsys, output, "--language", "Mandarin") == by_code
    assert main(["select", output.show(), "--language", "klingonese"]) == 2
    assert "klingonese" in capsys.readouterr().err


def test_a_condition_sees_the_recording_and_the_agreement(output, tmp_path, capsys):
    everything = funnel(capsys, output)[-1]["segments"]
    for where in ("uri like '%a%' and status = 'ok' and duration > 1", "agreement is null"):
        assert funnel(capsys, output, "--where", where)[-1]["segments"] == everything
    assert funnel(capsys, output, "--where", "uri like '%other%'")[-1]["segments"] == 0
    other = make(tmp_path / "other").show()
    assert funnel(capsys, output, "--agree-with", other, "--where", "agreement = 1")[-1]["segments"] == everything


def test_a_condition_may_end_with_a_comment(output, capsys):
    assert funnel(capsys, output, "--where", "channel = 0 -- the left one")[-1]["segments"] > 0
