"""Spoken numbers become digits only where that is right, and every word keeps its time."""

import itertools
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from funasr_beam.model.alignment import split_words
from funasr_beam.model.itn import InverseTextNormalizer, itn_version
from funasr_beam.model.records import Word

NORMALIZER = InverseTextNormalizer()


def timed(text):
    """A tenth of a second a word, with a pause before each."""
    return [Word(word, i / 2, i / 2 + 0.1, 0.5 + i / 1000) for i, word in enumerate(split_words(text))]


def written(text, language):
    return NORMALIZER.normalize(text, timed(text), language)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("my number is five five five one two", "my number is 55512"),
        ("Call me at oh seven nine double five three.", "Call me at 079553."),
        ("It costs twenty five dollars.", "It costs $25."),
        ("Twenty five, please!", "25, please!"),
        ("twelve dollars and fifty cents", "$12.50"),
        ("I was born in nineteen eighty four, in May.", "I was born in 1984, in May."),
        ("forty two point five percent", "42.5%"),
        ("sixty miles per hour", "60 miles per hour"),
        ("on march second two thousand twenty five at three forty five p m", "on march 2 2025 at 03:45 p.m."),
        ("half past nine", "09:30"),
        ("quarter to one", "12:45"),
        ("I'll take twenty-five", "I'll take 25"),
        ("Meet me at ten thirty", "Meet me at 10:30"),
        ("five hundred twenty five thousand six hundred minutes", "525600 minutes"),
    ],
)
def test_english_numbers_are_written_in_digits(said, expected):
    assert written(said, "en").text == expected


@pytest.mark.parametrize(
    "said",
    [
        "wait a second",
        "one of them",
        "one two three testing",
        "eight hundred five five five one two one two",
        "two to three hundred people",
        "ten to fifteen people",
        "twenty four seven",
        "ten eleven twelve",
        "fifty fifty",
        "nine eleven",
        "may five of us come in",
        "meet me at example dot com",
        "a dollar fifty",
        "oh no",
        "double five",
        "V I P",
        "six feet under",
    ],
)
def test_english_that_would_be_spoilt_stays_as_it_was_said(said):
    assert written(said, "en").text == said


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("二零二五年三月五日下午三点半", "2025年3月5日下午3点半"),
        ("我的电话是一三八零零一三八零零零。", "我的电话是13800138000。"),
        ("幺三八零零幺三八", "13800138"),
        ("百分之二十五", "25%"),
        ("三分之一", "1/3"),
        ("一共一千二百三十四块五", "一共1234块5"),
        ("十一点", "11点"),
        ("下午五点二十分", "下午5点20分"),
        ("三百五十元，谢谢！", "350元，谢谢！"),
        ("一亿两千万", "1亿2000万"),
        ("二百三十四千克", "234千克"),
        ("我有iPhone十五", "我有iPhone15"),
        ("等 了 二十 分钟", "等了20分钟"),
        ("一百零一", "101"),
    ],
)
def test_chinese_numbers_are_written_in_digits(said, expected):
    assert written(said, "zh").text == expected


@pytest.mark.parametrize(
    "said",
    [
        "十分感谢", "一个人一起去", "四五个人", "十七八岁", "三四百", "十几个", "百姓", "十字路口", "千万别", "万一",
        "三点一刻", "二零二五三月五日", "百八十", "九九八十一", "三比二", "星期三", "张三李四", "一五一十",
    ],
)  # fmt: skip
def test_chinese_that_would_be_spoilt_stays_as_it_was_said(said):
    assert written(said, "zh").text == said


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("二千二十五年三月五日", "2025年3月5日"),
        ("二十五パーセントです。", "25%です。"),
        ("電話番号は零九零一二三四五六七八", "電話番号は09012345678"),
        ("一万二千円", "12000円"),
        ("午後三時半", "午後3時半"),
        ("千葉県の八百屋", "千葉県の八百屋"),
        ("四五人", "四五人"),
        ("十分です", "十分です"),
        ("百聞は一見にしかず", "百聞は一見にしかず"),
    ],
)
def test_japanese_numbers_are_written_in_digits_but_names_are_not(said, expected):
    assert written(said, "ja").text == expected


def test_a_rewritten_word_has_the_time_and_the_mean_confidence_of_its_sources():
    words = written("it costs twenty five dollars now", "en").words
    assert [word.text for word in words] == ["it", "costs", "$25", "now"]
    amount = words[2]
    assert (amount.start_s, amount.end_s, amount.raw_start, amount.raw_end) == (1.0, 2.1, 2, 5)
    assert amount.confidence == pytest.approx(0.503)


def test_units_and_months_keep_their_own_times():
    assert [word.text for word in written("三月五日见", "zh").words] == ["3", "月", "5", "日", "见"]
    assert [word.text for word in written("on march second two thousand one", "en").words] == ["on", "march", "2 2001"]
    assert [word.text for word in written("ten seconds", "en").words] == ["10", "seconds"]


def test_text_without_times_is_normalized_alike():
    said = "It costs twenty five dollars, he said."
    without = NORMALIZER.normalize(said, None, "en")
    assert without.words is None
    assert without.text == written(said, "en").text


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("vingt-cinq, six", "fr"),
        ("이십오 원", None),
        ("twenty five", None),
        ("six million", None),
        ("", "en"),
        ("", None),
    ],
)
def test_other_languages_pass_through(text, language):
    result = written(text, language)
    assert (result.text, result.applied) == (text, False)
    assert [word.text for word in result.words] == split_words(text)


def test_the_script_tells_chinese_and_japanese_when_nothing_is_known():
    assert written("三百五十元", None).text == "350元"
    assert written("午後三時半です", None).text == "午後3時半です"
    assert InverseTextNormalizer(latin_default="en").normalize("twenty five").text == "25"


def test_locales_and_upper_case_codes_are_understood():
    assert written("twenty five", "EN_us").text == "25"
    assert written("二十五", "zh-CN").text == "25"


def test_words_that_are_not_the_texts_stay_as_they_are():
    words = [Word("other", 0.0, 1.0, 0.5)]
    result = NORMALIZER.normalize("twenty five", words, "en")
    assert (result.text, result.applied) == ("twenty five", False)
    assert [word.text for word in result.words] == ["other"]


def test_a_sentences_full_stop_is_not_doubled():
    assert written("at seven thirty p m.", "en").text == "at 07:30 p.m."


NUMBER_WORDS = """
one two five nine oh zero ten eleven thirteen twenty forty hundred thousand million point and half past to quarter first
second third fifth twentieth may march june dollars cents percent seconds a p m o'clock the double at or minus
""".split()  # noqa: SIM905
SAID_IN_ENGLISH = st.lists(st.sampled_from([*NUMBER_WORDS, "we", "have,", "twenty-five"]), max_size=12)
NUMERALS = list("零〇一二两三四五六七八九十百千万亿幺点年月日号分秒块元毛个第负半刻几多之度人円時")
SAID_IN_CHINESE = st.lists(st.sampled_from([*NUMERALS, "我", "有", "，", " ", "iPhone ", "の"]), max_size=12)


def assert_covered(result, num_words):
    words = result.words
    assert [word.raw_start for word in words] == [0, *(word.raw_end for word in words)][: len(words)]
    assert (words[-1].raw_end if words else 0) == num_words
    assert all(word.start_s < word.end_s and word.text for word in words)
    assert all(left.end_s <= right.start_s for left, right in itertools.pairwise(words))


@settings(max_examples=50, deadline=None)
@given(SAID_IN_ENGLISH, st.sampled_from(["en", None]))
def test_english_words_cover_what_was_said_in_order(words, language):
    text = " ".join(words)
    assert_covered(written(text, language), len(split_words(text)))


@settings(max_examples=50, deadline=None)
@given(SAID_IN_CHINESE, st.sampled_from(["zh", "ja", None]))
def test_chinese_words_cover_what_was_said_in_order(characters, language):
    text = "".join(characters)
    assert_covered(written(text, language), len(split_words(text)))


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=40), st.sampled_from(["en", "zh", "ja", None]))
def test_any_text_whatever_is_survived(text, language):
    assert_covered(written(text, language), len(split_words(text)))


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**8), st.sampled_from(["我付了{}元", "一共{}个", "{}"]))
def test_a_chinese_number_keeps_its_value(value, carrier):
    text = NORMALIZER.normalize(carrier.format(spoken_chinese(value)), None, "zh").text
    digits = text.translate(str.maketrans("", "", "我付了元一共个")) if text[0] in "我一" else text
    if any(char.isdigit() for char in text):
        assert digits in (str(value), f"{value // 10**4}万", "1亿")


def spoken_chinese(value):
    """The usual reading of a number below a billion."""
    digits, units = "零一二三四五六七八九", ["", "十", "百", "千"]
    if value >= 10**8:
        return spoken_chinese(value // 10**8) + "亿" + (spoken_chinese(value % 10**8) if value % 10**8 else "")
    if value >= 10**4:
        rest = value % 10**4
        gap = "零" if 0 < rest < 1000 else ""
        return spoken_chinese(value // 10**4) + "万" + (gap + spoken_chinese(rest) if rest else "")
    said = ""
    for place, digit in enumerate(reversed(str(value))):
        said = (digits[int(digit)] + units[place] if digit != "0" else "零") + said
    while "零零" in said:
        said = said.replace("零零", "零")
    said = said.rstrip("零") or "零"
    return said.removeprefix("一") if 10 <= value < 20 else said


def test_threads_share_one_normalizer():
    said = ["it costs twenty five dollars", "at three forty five p m", "half past nine"] * 4
    alone = [NORMALIZER.normalize(text, None, "en").text for text in said]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda text: NORMALIZER.normalize(text, None, "en").text, said)) == alone


def test_the_version_names_the_package():
    assert itn_version().startswith("wetext ")


@pytest.mark.parametrize(
    ("said", "language", "together"),
    [
        ("twenty five dollars please", "en", [("twenty five", 2), ("dollars", 1), ("please", 1)]),
        ("twenty five dollars please", "en", [("twenty", 1), ("five dollars please", 3)]),
        ("我有二十五个", "zh", [("我有", 2), ("二十五", 3), ("个", 1)]),
        ("我有二十五个", "zh", [("我", 1), ("有二", 2), ("十五", 2), ("个", 1)]),
        ("今日は二十五日です", "ja", [("今日", 2), ("は", 1), ("二十五", 3), ("日", 1), ("です", 2)]),
    ],
)
def test_words_that_are_timed_together_change_no_text_and_keep_their_times(said, language, together):
    fine = timed(said)
    coarse, place = [], 0
    for text, count in together:
        coarse.append(Word(text, fine[place].start_s, fine[place + count - 1].end_s, 0.5))
        place += count
    found = NORMALIZER.normalize(said, coarse, language)
    assert found.text == NORMALIZER.normalize(said, None, language).text == written(said, language).text
    assert "".join(word.text for word in found.words).replace(" ", "") == found.text.replace(" ", "")
    assert [word.raw_start for word in found.words] == [0, *(word.raw_end for word in found.words[:-1])]
    for word in found.words:
        assert (word.start_s, word.end_s) == (coarse[word.raw_start].start_s, coarse[word.raw_end - 1].end_s)
