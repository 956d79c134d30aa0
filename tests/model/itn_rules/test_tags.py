"""Tags are read and brought into order as by wetext's own parser, which is slow to import."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from funasr_beam.model.itn_rules.tags import ordered_tags, parse_tags

NAMES = st.sampled_from(["money", "date", "time", "word", "cardinal", "char_like", "measure", "electronic"])
KEYS = st.sampled_from(["value", "currency", "year", "month", "hour", "noon", "name", "preserve_order", "units"])
VALUES = st.one_of(st.just("true"), st.text(alphabet='a7 二"\\{}:.$', max_size=6))
TAGS = st.lists(st.tuples(NAMES, st.lists(st.tuples(KEYS, VALUES), max_size=4)), min_size=1, max_size=4)


def written(tags):
    """As a grammar writes them."""
    return " ".join(f"{name} {{ {''.join(map(member, members))}}}" for name, members in tags)


def member(pair):
    key, value = pair
    return f'{key}: "{escaped(value)}"{" " * (1 + len(value) % 2)}'


def escaped(value):
    return value.replace("\\", "\\\\").replace('"', '\\"')


@pytest.mark.parametrize("language", ["en", "zh", "ja"])
@given(tags=TAGS)
def test_any_tags_come_out_as_wetext_would_order_them(language, tags):
    from wetext.token_parser import TokenParser

    text = written(tags)
    theirs, ours = TokenParser(language, "itn"), parse_tags(text)
    ordered, places = theirs.reorder_with_spans(text)
    assert ordered_tags(ours) == (ordered, list(places))
    assert [(tag.name, tag.start, tag.end) for tag in ours] == [(tag.name, tag.start, tag.end) for tag in theirs.tokens]


@pytest.mark.parametrize("text", ["money", 'money { value: "1 }', "money { value } ", 'money { value: "1" } ?'])
def test_what_is_no_tag_is_refused(text):
    with pytest.raises(ValueError, match="no tag"):
        parse_tags(text)


def test_reading_a_grammar_does_not_load_the_others():
    code = """
import sys
from funasr_beam.model.itn_rules.grammar import Grammar
assert Grammar("en").tag("twenty five dollars")[0].output == "$25"
assert "wetext" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
