"""Every export is read back by the tools that it is for: as many items, and the same times."""

import collections
import io
import json
import shlex

import numpy as np
import pytest

from funasr_beam.pipeline.export.formats import FORMATS
from tests.pipeline.export.fixtures import RATE, run

MS = 0.001 + 1e-9


def names(target, kind):
    """Name by URI, from the index that goes along."""
    lines = (target / f"index-{kind}.jsonl").read_text().splitlines()
    return {entry["uri"]: entry["name"] for entry in map(json.loads, lines)}


def times(rows):
    return sorted((row["start"], row["end"]) for row in rows)


def same_times(found, expected):
    found, expected = sorted(found), sorted(expected)
    assert len(found) == len(expected)
    for got, wanted in zip(found, expected, strict=True):
        assert got == pytest.approx(wanted, abs=MS)


@pytest.mark.parametrize("kind", ["srt", "vtt"])
def test_subtitles_are_read_by_pysubs2(made, tmp_path, kind):
    import pysubs2

    report = run(made, tmp_path, kind, max_cue_s=0)
    files = sorted(tmp_path.glob(f"*.{kind}"))
    assert len(files) == report.exported["recordings"] == 6
    events = [event for file in files for event in pysubs2.load(str(file), encoding="utf-8", format_=kind)]
    same_times([(event.start / 1000, event.end / 1000) for event in events], times(made.segments))
    texts = {event.plaintext.replace("\n", " ") for event in events}
    assert {"hello there", "你 好 吗"} <= texts


def test_web_subtitles_are_read_by_webvtt(made, tmp_path):
    import webvtt

    run(made, tmp_path, "vtt", max_cue_s=0)
    captions = [caption for file in tmp_path.glob("*.vtt") for caption in webvtt.read(file)]
    same_times([(clock(caption.start), clock(caption.end)) for caption in captions], times(made.segments))
    assert "channel2" in {caption.voice for caption in captions}


def clock(text):
    hours, minutes, seconds = text.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


@pytest.mark.parametrize("kind", ["stm", "seglst", "rttm"])
def test_segments_are_read_by_meeteval(made, tmp_path, kind):
    import meeteval

    run(made, tmp_path, kind)
    (path,) = tmp_path.glob("transcripts.*")
    lines = list(meeteval.io.load(path))
    begin, end = ("start_time", "end_time") if kind == "seglst" else ("begin_time", "end_time")
    if kind == "seglst":
        found = [(float(line[begin]), float(line[end])) for line in lines]
        assert {"hello there", "再 见"} <= {line["words"] for line in lines}
    elif kind == "stm":
        found = [(float(line.begin_time), float(line.end_time)) for line in lines]
        assert {"hello there", "再 见"} <= {line.transcript for line in lines}
    else:
        found = [(float(line.begin_time), float(line.begin_time + line.duration)) for line in lines]
    same_times(found, times(made.segments))


def test_words_are_read_by_meeteval(made, tmp_path):
    import meeteval

    report = run(made, tmp_path, "ctm")
    lines = list(meeteval.io.CTM.load(tmp_path / "transcripts.ctm"))
    same_times([(float(line.begin_time), float(line.begin_time + line.duration)) for line in lines], times(made.words))
    assert sorted(line.word for line in lines) == sorted(word["word"] for word in made.words)
    assert {line.filename for line in lines} == set(names(tmp_path, "ctm").values()) - {
        name for name in names(tmp_path, "ctm").values() if name.startswith(("silent", "no_words"))
    }
    assert [(left.count, left.why) for left in report.left_out if left.what == "segments"] == [
        (1, "recognition failed"),
        (1, "no word times"),
    ]


@pytest.mark.parametrize("audio", ["none", "flac", "wav"])
def test_manifests_are_read_by_lhotse_with_the_right_audio(made, tmp_path, audio):
    from lhotse import CutSet, RecordingSet, SupervisionSet
    from lhotse.qa import validate_recordings_and_supervisions

    run(made, tmp_path, "lhotse", audio=audio)
    recordings = RecordingSet.from_file(tmp_path / "recordings.jsonl.gz")
    supervisions = SupervisionSet.from_file(tmp_path / "supervisions.jsonl.gz")
    assert len(supervisions) == len(made.segments)
    validate_recordings_and_supervisions(recordings, supervisions, read_data=False)
    assert len(list(CutSet.from_manifests(recordings=recordings, supervisions=supervisions))) == len(list(recordings))
    recordings = {each.id: each for each in recordings}
    by_uri = {name: uri for uri, name in names(tmp_path, "lhotse").items()}
    found = []
    for supervision in supervisions:
        name, channel, start_ms, _ = supervision.id.rsplit("-", 3)
        original = original_of(made, by_uri[name])[int(channel)]
        cut = (
            recordings[supervision.recording_id]
            .to_cut()
            .truncate(offset=supervision.start, duration=supervision.duration)
        )
        heard = cut.load_audio()
        heard = heard[int(channel)] if len(heard) > 1 else heard[0]
        start = round(int(start_ms) / 1000 * RATE)
        same_samples(heard, original[start : start + len(heard)])
        moved_s = 0.0 if audio == "none" else int(start_ms) / 1000
        found.append((supervision.start + moved_s, supervision.end + moved_s))
    same_times(found, times(made.segments))
    words = [item for supervision in supervisions for item in (supervision.alignment or {}).get("word", ())]
    assert len(words) == len(made.words)
    if audio == "none":
        same_times([(word.start, word.end) for word in words], times(made.words))


def original_of(made, uri):
    return next(sound for path, sound in made.samples.items() if uri.endswith(f"/{path}"))


def same_samples(heard, original):
    """Equal but for the last sample, and for a border that lies between two samples."""
    heard = np.asarray(heard, float)
    original = np.asarray(original[: len(heard)], float) / 32768
    if np.abs(heard - original).max() > 2e-4:
        shifted = min(np.abs(heard[8:-8] - np.roll(original, shift)[8:-8]).max() for shift in range(-8, 9))
        assert shifted < 2e-4


@pytest.mark.parametrize("audio", ["none", "flac"])
def test_a_kaldi_folder_is_read_by_lhotse(made, tmp_path, audio):
    from lhotse.kaldi import load_kaldi_data_dir

    run(made, tmp_path, "kaldi", audio=audio)
    recordings, supervisions, _ = load_kaldi_data_dir(tmp_path, sampling_rate=RATE)
    assert len(supervisions) == len(made.segments)
    if audio == "none":
        same_times([(each.start, each.end) for each in supervisions], times(made.segments))
        assert {each.duration for each in recordings} == {12.0}
    for file in ("text", "utt2spk", "spk2utt", "wav.scp", "reco2dur"):
        keys = [line.split()[0] for line in (tmp_path / file).read_text().splitlines()]
        assert keys == sorted(keys, key=str.encode) and len(keys) == len(set(keys))


def test_a_kaldi_command_takes_any_file_name_for_a_name(made, tmp_path):
    run(made, tmp_path, "kaldi")
    commands = [line.split(" ", 1)[1] for line in (tmp_path / "wav.scp").read_text().splitlines() if line.endswith("|")]
    paths = {shlex.split(command[:-1])[5] for command in commands}
    assert any(path.endswith("/电话 café's.wav") for path in paths)


@pytest.mark.parametrize("audio", ["none", "wav"])
def test_a_nemo_manifest_has_every_segment(made, tmp_path, audio):
    import soundfile

    run(made, tmp_path, "nemo", audio=audio)
    rows = [json.loads(line) for line in (tmp_path / "manifest.jsonl").read_text().splitlines()]
    assert collections.Counter(row["text"] for row in rows)["hello there"] == 1
    same_times([(row["duration"],) for row in rows], [(row["end"] - row["start"],) for row in made.segments])
    for row in rows:  # as NeMo does: a relative path is beside the manifest
        sound, rate = soundfile.read(tmp_path / row["audio_filepath"], start=0)
        assert (row["offset"] + row["duration"]) * rate <= len(sound) + rate * MS


def test_a_dataset_is_read_by_datasets_with_its_audio(made, tmp_path):
    import datasets
    import soundfile

    run(made, tmp_path / "corpus", "hf")
    found = datasets.load_dataset(str(tmp_path / "corpus"), split="train", cache_dir=str(tmp_path / "cache"))
    assert isinstance(found.features["audio"], datasets.Audio)
    same_times([(row["start"], row["end"]) for row in found.select_columns(["start", "end"])], times(made.segments))
    by_uri = {f"file://{uri}": sound for uri, sound in made.samples.items()}
    assert by_uri
    for row in found.cast_column("audio", datasets.Audio(decode=False)):
        sound, rate = soundfile.read(io.BytesIO(row["audio"]["bytes"]), dtype="int16")
        original = original_of(made, row["uri"])[row["channel"]]
        start = round(row["start"] * RATE)
        assert rate == RATE and abs(len(sound) - round(row["duration"] * RATE)) <= 16
        same_samples(sound / 32768, original[start : start + len(sound)])
    assert sum(len(row["words"]) for row in found.select_columns(["words"])) == len(made.words)


def test_a_dataset_without_audio_is_a_table_of_texts(made, tmp_path):
    import datasets

    run(made, tmp_path / "corpus", "hf", audio="none")
    found = datasets.load_dataset(str(tmp_path / "corpus"), split="train", cache_dir=str(tmp_path / "cache"))
    assert sorted(found["text"]) == sorted(" ".join(row["text"].split()) for row in made.segments)


def test_shards_are_read_by_webdataset(made, tmp_path):
    import soundfile
    import webdataset

    run(made, tmp_path, "webdataset")
    samples = list(webdataset.WebDataset(f"{tmp_path}/shard-000000.tar", shardshuffle=False))
    rows = [json.loads(sample["json"]) for sample in samples]
    same_times([(row["start"], row["end"]) for row in rows], times(made.segments))
    for sample, row in zip(samples, rows, strict=True):
        sound, _ = soundfile.read(io.BytesIO(sample["flac"]))
        assert len(sound) / RATE == pytest.approx(row["duration"], abs=MS)
        assert sample["txt"].decode() == row["text"]


def test_documents_of_other_services_have_their_fields(made, tmp_path):
    run(made, tmp_path, "whisperx")
    run(made, tmp_path, "aws")
    whisperx = [json.loads(path.read_text()) for path in tmp_path.glob("*.whisperx.json")]
    same_times([(s["start"], s["end"]) for d in whisperx for s in d["segments"]], times(made.segments))
    same_times([(w["start"], w["end"]) for d in whisperx for w in d["word_segments"]], times(made.words))
    aws = [json.loads(path.read_text())["results"] for path in tmp_path.glob("*.aws.json")]
    items = [item for results in aws for item in results["items"]]
    same_times([(float(i["start_time"]), float(i["end_time"])) for i in items], times(made.words))
    for results in aws:
        for part in results["audio_segments"]:
            said = [results["items"][place]["alternatives"][0]["content"] for place in part["items"]]
            assert not said or " ".join(said) == part["transcript"]


def test_json_and_text_have_all_there_is(made, tmp_path):
    run(made, tmp_path, "json")
    run(made, tmp_path, "txt")
    documents = [json.loads(path.read_text()) for path in tmp_path.glob("*.json") if "segments" in path.read_text()]
    documents = [document for document in documents if "segments" in document]
    same_times([(s["start_s"], s["end_s"]) for d in documents for s in d["segments"]], times(made.segments))
    lines = [line for path in tmp_path.glob("*.txt") for line in path.read_text().splitlines()]
    assert len(lines) == len(made.segments) and "channel2: right side" in lines


@pytest.mark.parametrize("kind", FORMATS)
def test_what_is_left_out_is_said_for_every_format(made, tmp_path, kind):
    report = run(made, tmp_path, kind, audio="none" if FORMATS[kind].takes_audio else None)
    left_out = {(left.what, left.why): left.count for left in report.left_out}
    assert left_out["recordings", "failed (not_media)"] == 1
    assert left_out["segments", "recognition failed"] == 1
    assert report.exported["recordings"] == 6
    told = json.loads((tmp_path / f"export-{kind}.json").read_text())
    assert told["exported"] == report.exported
    assert not (tmp_path / "_work").exists()
