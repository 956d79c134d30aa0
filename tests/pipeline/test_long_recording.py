"""Three hours in one file: times do not drift, spans leave no seam, and the partition into units does not matter."""

from difflib import SequenceMatcher

import av
import numpy as np
import pyarrow.parquet as pq
import pytest

from benchmarks.memory import write_minute
from funasr_beam.pipeline.cli import main

pytestmark = pytest.mark.slow
MINUTES = 180


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """An MP3 of 3 hours: the same minute of speech at its start, in its middle and at its end, silence between."""
    folder = tmp_path_factory.mktemp("long")
    spoken = write_minute(folder / "spoken.mp3")
    silent = write_minute(folder / "silent.mp3", sentences=0)
    with (folder / "long.mp3").open("wb") as file:
        for minute in range(MINUTES):
            file.write(spoken if minute in (0, MINUTES // 2, MINUTES - 1) else silent)
    with av.open(str(folder / "spoken.mp3")) as container:
        block_s = sum(packet.duration or 0 for packet in container.demux()) * float(container.streams[0].time_base)
    return folder / "long.mp3", block_s


@pytest.fixture(scope="module")
def words(recording, tmp_path_factory):
    output = tmp_path_factory.mktemp("outputs") / "out"
    assert main(["transcribe", str(recording[0]), "--output", str(output), "--model", "demo", "--itn", "none"]) == 0
    segments = pq.read_table(output / "segments").to_pylist()
    return output, [word for segment in sorted(segments, key=lambda row: row["start"]) for word in segment["words"]]


def test_times_do_not_drift_over_three_hours(recording, words):
    block_s = recording[1]
    blocks = (0, MINUTES // 2, MINUTES - 1)
    first, *later = [[w for w in words[1] if int(w["start"] / block_s) == block] for block in blocks]
    assert len(first) > 10
    for place, block in zip(blocks[1:], later, strict=True):
        pairs = list(same_words(first, block))
        assert len(pairs) > 0.8 * len(first)
        drift = [after["start"] - before["start"] - place * block_s for before, after in pairs]
        assert abs(np.median(drift)) <= 0.05


def same_words(first, block):
    """Words that were heard in both; samples differ by where the encoder's frames begin, so a rare one may not be."""
    texts = [[word["word"] for word in words] for words in (first, block)]
    for match in SequenceMatcher(None, *texts, autojunk=False).get_matching_blocks():
        yield from zip(first[match.a : match.a + match.size], block[match.b : match.b + match.size], strict=True)


def test_the_duration_is_that_of_all_blocks(recording, words):
    (row,) = pq.read_table(words[0] / "recordings").to_pylist()
    assert row["status"] == "ok"
    assert row["duration"] == pytest.approx(MINUTES * recording[1], abs=0.2)


def test_other_units_give_the_same_tables(recording, words, tmp_path):
    arguments = ["--output", str(tmp_path / "out"), "--model", "demo", "--itn", "none", "--workers", "1"]
    assert main(["transcribe", str(recording[0]), *arguments, "--set", "plan.unit_s=600"]) == 0
    assert main(["compare", str(words[0]), str(tmp_path / "out")]) == 0
