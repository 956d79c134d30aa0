"""Evaluation of an output: the right pairs, jiwer's and meeteval's rates, and exit codes that scripts can use."""

import json
import random

import jiwer
import meeteval
import pytest

from funasr_beam.model.evaluation.normalizers import NORMALIZERS
from funasr_beam.pipeline.cli import main
from tests.pipeline.outputs import add_run, recording

RUN = "20260101T000000Z-aaaaaa"


def segment(name, start, text, channel=0, **more):
    words = [
        {"word": word, "start": start + place, "end": start + place + 0.5} for place, word in enumerate(text.split())
    ]
    row = {"segment_id": f"{name}-{start}-{channel}", "recording_id": f"{name}-1", "channel": channel}
    row |= {"start": start, "end": start + 9.0}
    return {**row, "text": text, "text_raw": text, "words": words, **more}


def heard(name, text, language="en", **more):
    """A recording of one segment."""
    row = recording(name, text=text, language=language, num_channels=1, channel_layout="mono", **more)
    return row, [segment(name, 0.0, text)] if text else []


def make(root, *made):
    return add_run(root, RUN, [row for row, _ in made], [one for _, segments in made for one in segments])


def references(root, *rows):
    path = root / "truth.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def evaluate(capsys, output, *options):
    code = main(["evaluate", output.show(), *options, "--json"])
    return code, json.loads(capsys.readouterr().out)


def random_texts(seed, count=40):
    generator = random.Random(seed)
    vocabulary = ["please", "Hold,", "the", "LINE", "don't", "naïve", "我们", "很好。", "now"]
    for place in range(count):
        said = [generator.choice(vocabulary) for _ in range(generator.randint(1, 20))]
        yield f"r{place}", " ".join(said), " ".join(word for word in said if generator.random() > 0.1).lower()


def test_rates_are_those_of_jiwer_and_meeteval_over_the_whole_set(tmp_path, capsys):
    texts = list(random_texts(1))
    output = make(tmp_path, *(heard(name, text, reference=said) for name, said, text in texts))
    _, found = evaluate(capsys, output, "--normalizer", "multilingual")
    rule = NORMALIZERS["multilingual-1"]
    said, written = [rule(said) for _, said, _ in texts], [rule(text) for _, _, text in texts]
    assert found["errors"]["words"]["rate"] == pytest.approx(jiwer.wer(said, written), abs=1e-9)
    squeezed = [[text.replace(" ", "") for text in side] for side in (said, written)]
    assert found["errors"]["characters"]["rate"] == pytest.approx(jiwer.cer(*squeezed), abs=1e-9)
    theirs = meeteval.wer.combine_error_rates(
        *(meeteval.wer.wer.siso.siso_word_error_rate(left, right) for left, right in zip(said, written, strict=True))
    )
    assert found["errors"]["words"]["rate"] == pytest.approx(theirs.error_rate, abs=1e-9)
    low, high = found["errors"]["words"]["interval"]
    assert low < found["errors"]["words"]["rate"] < high


def test_failed_and_empty_recordings_count_as_deletions(tmp_path, capsys):
    output = make(
        tmp_path,
        heard("good", "one two"),
        heard("failed", None, status="failed", error_code="not_media"),
        heard("silent", "", status="no_speech"),
    )
    truth = references(tmp_path, *({"id": f"{name}-1", "text": "one two"} for name in ("good", "failed", "silent")))
    _, found = evaluate(capsys, output, "--references", truth)
    assert found["errors"]["words"]["deletions"] == 4
    assert found["errors"]["words"]["rate"] == pytest.approx(2 / 3)
    assert (found["recordings"], found["empty"]) == (3, 2)


def test_what_was_skipped_on_purpose_is_not_counted(tmp_path, capsys):
    output = make(tmp_path, heard("a", "one", reference="one"), heard("b", None, status="skipped", reference="two"))
    assert evaluate(capsys, output)[1]["recordings"] == 1


@pytest.mark.parametrize(
    "key",
    [
        {"id": "a-1"},
        {"uri": "file:///in/calls/a.wav"},
        {"uri": "/in/calls/a.wav"},
        {"audio_filepath": "calls/a.wav"},
        {"path": "./a.wav"},
        {"id": "a"},
    ],
)
def test_a_reference_finds_its_recording(tmp_path, capsys, key):
    rows = [heard("a", "x y"), heard("b", "x z")]
    for row, _ in rows:
        row["uri"] = row["uri"].replace("file:///", "file:///in/calls/")
    _, found = evaluate(capsys, make(tmp_path, *rows), "--references", references(tmp_path, {**key, "text": "x y"}))
    assert found["references"]["matched"] == 1
    assert found["errors"]["words"]["rate"] == 0


def test_a_reference_that_fits_two_recordings_is_told_and_not_counted(tmp_path, capsys):
    rows = [heard("a", "x"), heard("b", "x"), heard("c", "y")]
    rows[0][0]["uri"], rows[1][0]["uri"] = "file:///monday/call.mp3", "file:///tuesday/call.mp3"
    truth = references(tmp_path, {"uri": "call.mp3", "text": "x"}, {"id": "c-1", "text": "y"})
    _, found = evaluate(capsys, make(tmp_path, *rows), "--references", truth)
    assert found["references"]["ambiguous"] == ["call.mp3"]
    assert found["recordings"] == 1


def test_the_reference_of_a_recording_that_is_elsewhere_is_not_added_to_one_of_the_same_name(tmp_path, capsys):
    row = heard("a", "one two")
    row[0]["uri"] = "file:///in/monday/call.mp3"
    days = [{"uri": "monday/call.mp3", "text": "one two"}, {"uri": "tuesday/call.mp3", "text": "three"}]
    _, found = evaluate(capsys, make(tmp_path, row), "--references", references(tmp_path, *days))
    assert found["errors"]["words"]["rate"] == 0
    assert found["references"]["unmatched"] == ["tuesday/call.mp3"]


def test_two_references_that_fit_one_recording_equally_well_are_told_and_not_counted(tmp_path, capsys):
    rows = [heard("a", "one two"), heard("c", "y")]
    twins = [{"uri": f"{day}/a.wav", "text": "one two"} for day in ("monday", "tuesday")]
    truth = references(tmp_path, *twins, {"id": "c-1", "text": "y"})
    _, found = evaluate(capsys, make(tmp_path, *rows), "--references", truth)
    assert found["references"]["ambiguous"] == ["monday/a.wav", "tuesday/a.wav"]
    assert (found["recordings"], found["errors"]["words"]["rate"]) == (1, 0)


def test_an_empty_reference_is_none_as_in_a_manifest(tmp_path, capsys):
    rows = [heard(name, "one two") for name in "abcd"]
    empty = ({"id": "b-1", "text": ""}, {"id": "c-1", "text": None}, {"id": "d-1", "text": float("nan")})
    truth = references(tmp_path, {"id": "a-1", "text": "one two"}, *empty)
    _, found = evaluate(capsys, make(tmp_path, *rows), "--references", truth)
    assert (found["recordings"], found["errors"]["words"]["rate"]) == (1, 0)


def test_rows_with_an_offset_are_parts_of_a_recording_in_the_order_of_their_times(tmp_path, capsys):
    parts = ({"id": "a-1", "offset": 2.5, "text": "two"}, {"id": "a-1", "offset": 0, "text": "one"})
    _, found = evaluate(capsys, make(tmp_path, heard("a", "one two")), "--references", references(tmp_path, *parts))
    assert (found["recordings"], found["errors"]["words"]["rate"]) == (1, 0)


def test_text_where_the_reference_says_silence_is_inserted(tmp_path, capsys):
    truth = references(tmp_path, {"id": "a-1", "turns": [{"text": ""}]})
    _, found = evaluate(capsys, make(tmp_path, heard("a", "one two")), "--references", truth)
    assert found["errors"]["words"]["insertions"] == 2


def test_no_reference_that_fits_is_a_mistake_with_an_example(tmp_path, capsys):
    truth = references(tmp_path, {"uri": "other.wav", "text": "x"})
    assert main(["evaluate", make(tmp_path, heard("a", "x")).show(), "--references", truth]) == 2
    assert "other.wav" in capsys.readouterr().err


def test_without_any_reference_the_message_says_what_to_give(tmp_path, capsys):
    assert main(["evaluate", make(tmp_path, heard("a", "x")).show()]) == 2
    assert "--references" in capsys.readouterr().err


def test_channels_are_compared_on_their_own_when_the_reference_names_them(tmp_path, capsys):
    row = recording("a", text="", num_channels=2, channel_layout="stereo", language="en")
    spoken = [segment("a", 0.0, "one two three", 0), segment("a", 1.0, "four five", 1), segment("a", 9.0, "six", 0)]
    turns = [
        {"channel": 0, "start_s": 0.0, "text": "one two three"},
        {"channel": 1, "start_s": 1.0, "text": "four"},
        {"channel": 0, "start_s": 1.5, "text": "six"},
        {"channel": 1, "start_s": 2.0, "text": "five"},
    ]
    output = make(tmp_path, (row, spoken))
    _, found = evaluate(capsys, output, "--references", references(tmp_path, {"id": "a-1", "turns": turns}))
    assert found["errors"]["words"]["rate"] == 0
    stm = tmp_path / "truth.stm"
    stm.write_text(
        ";; comment\na A spk 0.0 1.0 <o,f0> one two three\na B spk 1 2 four five\na A spk 9 9.9 seven\n"
        "a A spk 10 11 IGNORE_TIME_SEGMENT_IN_SCORING\n"
    )
    _, found = evaluate(capsys, output, "--references", str(stm))
    assert found["errors"]["words"] | {"interval": 0} == {
        "rate": pytest.approx(1 / 6), "hits": 5, "substitutions": 1, "deletions": 0, "insertions": 0, "interval": 0
    }  # fmt: skip


def test_what_an_stm_leaves_out_of_scoring_is_no_insertion(tmp_path, capsys):
    row = recording("a", text="", num_channels=2, channel_layout="stereo", language="en")
    spoken = [
        segment("a", 0.0, "one two", 0, end=1.0),
        segment("a", 4.0, "noise noise", 0, end=6.0),
        segment("a", 4.0, "three", 1, end=5.0),
    ]
    output = make(tmp_path, (row, spoken))
    stm = tmp_path / "truth.stm"
    stm.write_text("a A spk 0 1 one two\na A spk 3.9 9 ignore_time_segment_in_scoring\na B spk 4 5 three\n")
    _, found = evaluate(capsys, output, "--references", str(stm))
    assert found["errors"]["words"] | {"interval": 0} == {
        "rate": 0, "hits": 3, "substitutions": 0, "deletions": 0, "insertions": 0, "interval": 0
    }  # fmt: skip
    stm.write_text(stm.read_text().replace("a A spk 3.9 9", "a A spk 7 9"))
    _, found = evaluate(capsys, output, "--references", str(stm))
    assert found["errors"]["words"]["insertions"] == 2, "noise at 4 s is outside of it"


def test_an_exported_stm_is_a_reference_once_it_is_corrected(tmp_path, capsys):
    output = make(tmp_path, heard("monday/Ä call", "one two three"), heard("tuesday/Ä call", "four five"))
    assert main(["export", output.show(), "--format", "stm", "--output", str(tmp_path / "stm")]) == 0
    stm = tmp_path / "stm/transcripts.stm"
    stm.write_text(stm.read_text().replace("three", "free"))
    capsys.readouterr()
    _, found = evaluate(capsys, output, "--references", str(stm))
    assert found["references"]["matched"] == 2
    assert found["errors"]["words"]["substitutions"] == 1
    assert found["errors"]["words"]["hits"] == 4


def test_word_times_are_compared_where_words_are_right(tmp_path, capsys):
    words = [
        {"word": "One", "start_s": 0.02, "end_s": 0.5},
        {"word": "wrong", "start_s": 1.0, "end_s": 1.5},
        {"word": "three", "start_s": 2.0, "end_s": 2.44},
    ]
    output = make(tmp_path, heard("a", "one two three"))
    row = {"id": "a-1", "turns": [{"text": "One wrong three", "words": words}]}
    _, found = evaluate(capsys, output, "--references", references(tmp_path, row))
    times = found["times"]
    assert times["words"] == 2
    assert times["start"]["mean_signed_s"] == pytest.approx(-0.01, abs=1e-6)
    assert times["end"]["p95_s"] == pytest.approx(0.06, abs=0.0006)
    assert times["end"]["within_50_ms"] == 0.5


def test_the_worst_recordings_are_shown_with_their_differences(tmp_path, capsys):
    output = make(
        tmp_path,
        heard("fine", "all is well", reference="all is well"),
        heard("bad", "I said yes to you [sic] maybe", reference="I said no to you"),
    )
    assert main(["evaluate", output.show(), "--form", "final"]) == 0
    shown = capsys.readouterr().out
    assert "i said [-no-] {+yes+} to you {+maybe+}" in shown
    assert "fine.wav" not in shown


def test_limits_are_in_the_exit_code(tmp_path, capsys):
    output = make(tmp_path, heard("a", "one two three", reference="one two four"))
    assert main(["evaluate", output.show(), "--max-wer", "0.3"]) == 1
    assert "--max-wer 0.3" in capsys.readouterr().out
    assert main(["evaluate", output.show(), "--max-wer", "0.34", "--max-mixed", "0.5"]) == 0


def test_counts_of_every_recording_are_written(tmp_path, capsys):
    output = make(tmp_path, heard("a", "one", reference="one"), heard("b", "two", reference="three"))
    lines = tmp_path / "each.jsonl"
    assert main(["evaluate", output.show(), "--write", str(lines)]) == 0
    found = {row["recording_id"]: row["words"]["substitutions"] for row in map(json.loads, lines.open())}
    assert found == {"a-1": 0, "b-1": 1}


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("truth.txt", "x", ".stm"),
        ("truth.jsonl", '{"text": "x"}\n', "row 1: has neither id nor uri"),
        ("truth.jsonl", '{"id": "a"}\n', "row 1: has no text"),
        ("truth.csv", "id,text\na,x\nb,y\na,x\n", "row 3: a is there twice"),
        ("truth.jsonl", '{"id": "a", "turns": [{"channel": 0}]}\n', "row 1: 'text' is missing"),
        ("truth.stm", "a A spk\n", "line 1"),
        ("missing.csv", None, "cannot be read"),
    ],
)
def test_references_that_cannot_be_read_are_told_with_their_lines(tmp_path, capsys, name, content, told):
    path = tmp_path / name
    if content is not None:
        path.write_text(content)
    assert main(["evaluate", make(tmp_path / "out", heard("a", "x")).show(), "--references", str(path)]) == 2
    assert told in capsys.readouterr().err
