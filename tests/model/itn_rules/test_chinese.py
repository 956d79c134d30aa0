"""Numerals are read strictly, or not at all."""

import pytest

from funasr_beam.model.itn_rules import Candidate, Rewrite
from funasr_beam.model.itn_rules.chinese import chinese_rewrites, read_numeral


@pytest.mark.parametrize(
    ("said", "digits"),
    [
        ("二零二五", "2025"), ("幺三八零", "1380"), ("零五", "05"), ("五", "5"), ("十", "10"), ("二十五", "25"),
        ("一百零一", "101"), ("一百一十二", "112"), ("一百二", "120"), ("三百五", "350"), ("一千零五", "1005"),
        ("一千零五十", "1050"), ("两千零八", "2008"), ("一万三", "13000"), ("一万零三", "10003"),
        ("三万五千八百", "35800"), ("五百万", "500万"), ("一亿两千万", "1亿2000万"), ("三点一四", "3.14"),
        ("一百二十三点零五", "123.05"), ("千", "1000"),
    ],
)  # fmt: skip
def test_numerals_are_read(said, digits):
    assert read_numeral(said) == digits


@pytest.mark.parametrize("said", ["三四百", "二十二十", "十十", "九九八十一", "万", "亿三", "百千", ""])
def test_what_is_no_numeral_is_not_read(said):
    assert read_numeral(said) is None


def test_a_finding_with_another_value_than_the_one_read_is_refused():
    assert chinese_rewrites(list("三百五"), [Candidate(0, 3, "cardinal", "305")], "zh") == []
    assert chinese_rewrites(list("三百五"), [Candidate(0, 3, "cardinal", "350")], "zh") == [Rewrite(0, 3, "350")]
