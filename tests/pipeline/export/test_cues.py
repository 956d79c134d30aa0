"""Subtitles that can be read: cut between words, nothing lost, no time invented, and no markup in a text."""

from itertools import pairwise

import pysubs2
from hypothesis import given
from hypothesis import strategies as st

from funasr_beam.pipeline.export.cues import MAX_COLUMNS, Cue, columns, cues_of, two_lines
from funasr_beam.pipeline.export.records import ExportSegment, ExportWord
from funasr_beam.pipeline.export.subtitles import _srt, _vtt

WORDS = st.lists(
    st.sampled_from(["hello", "world.", "再见", "a", "问题。", "internationalisation"]), min_size=1, max_size=60
)


def make_segment(words, glue=" ", step_s=0.4):
    timed = tuple(ExportWord(word, place * step_s, (place + 1) * step_s, 0.9) for place, word in enumerate(words))
    return ExportSegment("id", 0, 0.0, len(words) * step_s, glue.join(words), "en", None, 0.9, None, timed)


@given(WORDS, st.sampled_from([" ", "", ", "]))
def test_cues_hold_all_of_the_text_within_their_limits(words, glue):
    segment = make_segment(words, glue)
    cues = cues_of(segment, 7.0)
    assert "".join("".join(cue.text.split()) for cue in cues) == "".join(segment.text.split())
    for cue, following in pairwise(cues):
        assert cue.start_s < cue.end_s <= following.start_s
    for cue in cues:
        assert columns(cue.text) <= MAX_COLUMNS or len(cue.text.split()) == 1 or glue == ""
        assert cue.end_s - cue.start_s <= 7.0 + 1e-6


def test_a_segment_without_word_times_is_one_cue():
    segment = ExportSegment("id", 0, 1.0, 29.0, "word " * 40, "en", None, 0.9, None, None)
    assert [(cue.start_s, cue.end_s) for cue in cues_of(segment, 7.0)] == [(1.0, 29.0)]


def test_words_that_are_not_in_the_text_are_not_trusted():
    segment = make_segment(["seven", "hundred"])
    other = ExportSegment("id", 0, 0.0, 9.0, "700", "en", None, 0.9, None, segment.words)
    assert [cue.text for cue in cues_of(other, 7.0)] == ["700"]


def test_a_wide_text_stands_on_two_lines_of_about_one_width():
    first, second = two_lines("could you please spell the name of the street for me again").split("\n")
    assert abs(len(first) - len(second)) < 8
    assert two_lines("字" * 30) == f"{'字' * 15}\n{'字' * 15}"


@given(st.lists(st.text(min_size=1, max_size=60), min_size=1, max_size=5))
def test_no_text_makes_another_cue_or_markup_of_a_subtitle(texts):
    cues = [(Cue(place, place + 0.5, " ".join(text.split())), "") for place, text in enumerate(texts)]
    for kind, text in (("srt", _srt(cues)), ("vtt", _vtt(cues))):
        events = pysubs2.SSAFile.from_string(text, format_=kind)
        assert [(event.start, event.end) for event in events] == [
            (place * 1000, place * 1000 + 500) for place in range(len(texts))
        ]


def test_markup_in_a_text_stays_text():
    cues = [(Cue(0.0, 1.0, "a <b>bold</b> & {\\i1}odd --> text"), "x>y")]
    assert "<b>" not in _vtt(cues) and "&lt;b&gt;" in _vtt(cues) and "<v x&gt;y>" in _vtt(cues)
    assert "<b>" not in _srt(cues) and "{" not in _srt(cues)
