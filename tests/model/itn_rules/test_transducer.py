"""The best path of a text through a grammar is wetext's own, ties and all, whatever was seen before."""

import random

import pytest

from funasr_beam.model.itn_rules import transducer
from funasr_beam.model.itn_rules.grammar import Grammar

kaldifst = pytest.importorskip("kaldifst")

ENGLISH = """
five oh twenty hundred thousand third point double dollars cents percent a p m o'clock half past to quarter
march may street dot com at nineteen eighty minus and please
"""

WORDS = {
    "en": ENGLISH.split(),
    "zh": list("零一二三十百千万亿两半点分秒年月日元块毛角百分之负第幺上午下我的是"),
    "ja": list("零一二三十百千万億年月日時分半円午後前は"),
}


def acceptor(lines):
    return kaldifst.compile("\n".join(lines))


@pytest.mark.parametrize("language", WORDS)
def test_random_number_talk_is_tagged_as_by_wetexts_own_mapping(language):
    from wetext.utils import normalize_with_mapping

    generator, grammar = random.Random(language), Grammar(language)
    for _ in range(12):
        chosen = generator.choices(WORDS[language], k=generator.randint(2, 7))
        text = (" " if language == "en" else "").join(chosen)
        try:
            wanted = normalize_with_mapping(text, lang=language, operator="itn").mappings
        except RuntimeError:
            continue
        found = [tag for tag in grammar.tag(text) if tag.output != text[tag.start : tag.end]]
        assert [(tag.kind, tag.start, tag.end, tag.output) for tag in found] == [
            (item.token_type, item.input_start, item.input_end, item.output_text) for item in wanted
        ], text


def test_of_two_outputs_of_the_same_weight_the_first_by_its_bytes_is_taken():
    a, b, x, y = map(ord, "abxy")
    # Both arcs write late, so that the outputs part before the paths meet again.
    lines = [f"0 1 {a} {y}", f"0 2 {a} 0", f"1 3 {b} 0", f"2 3 {b} {x}", f"3 4 {a} {a}", "4"]
    path = transducer.Transducer(acceptor(lines)).best_path(b"aba")
    assert path is not None
    assert path.output == b"xa"
    assert path.pieces == (transducer.Piece(b"", b""), transducer.Piece(b"", b"x"), transducer.Piece(b"", b"a"))


def test_the_lowest_weight_wins_whatever_is_written_without_input():
    a, x, y = map(ord, "axy")
    lines = [f"0 1 0 {x} 2", f"1 2 {a} {a} 0.5", f"0 2 {a} {y} 2.4", f"2 3 0 {x} 0.001", "3 0.5", "2 1"]
    path = transducer.Transducer(acceptor(lines)).best_path(b"a")
    assert path is not None
    assert path == transducer.BestPath((transducer.Piece(b"", b"y"),), b"x")


def test_a_text_without_a_path_has_none():
    machine = transducer.Transducer(acceptor([f"0 1 {ord('a')} {ord('a')}", "1"]))
    assert machine.best_path(b"b") is None
    assert machine.best_path(b"aa") is None
    assert machine.best_path(b"") is None


def test_forgetting_what_was_seen_changes_nothing(monkeypatch):
    text = "on may fourteenth at nine twenty call five five five one two at example dot com"
    wanted = Grammar("en").tag(text)
    monkeypatch.setattr(transducer, "MAX_SETS", 5)
    grammar = Grammar("en")
    assert [grammar.tag(text), grammar.tag(text)] == [wanted, wanted]
