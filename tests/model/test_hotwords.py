import pytest

from funasr_beam.model.errors import UsageError
from funasr_beam.model.hotwords import MAX_HOTWORDS, parse_hotwords, read_hotwords


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, ()),
        ("", ()),
        ("Anna|Bob; Carla,Dan", ("Anna", "Bob", "Carla", "Dan")),
        ('["Smith, Jones & Co", "x"]', ("Smith, Jones & Co", "x")),
        (["x", " y  z ", "x", ""], ("x", "y z")),
    ],
)
def test_a_cell_holds_words_in_any_of_the_usual_ways(value, words):
    assert parse_hotwords(value) == words


def test_a_file_holds_a_word_on_each_line(tmp_path):
    file = tmp_path / "words.txt"
    file.write_text("\ufeff# products\nFun-ASR\n\n  Smith, Jones  & Co \n开放时间\nFun-ASR\n# Beam\n", encoding="utf-8")
    assert read_hotwords(str(file)) == ("Fun-ASR", "Smith, Jones & Co", "开放时间")


def test_a_file_may_be_anywhere_that_fsspec_reads():
    import fsspec

    with fsspec.open("memory://words.txt", "w") as file:
        file.write("one\ntwo\n")
    assert read_hotwords("memory://words.txt") == ("one", "two")


def test_a_file_that_is_not_there_or_is_no_text_is_told(tmp_path):
    with pytest.raises(UsageError, match=r"words\.txt cannot be used"):
        read_hotwords(str(tmp_path / "words.txt"))
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00\xd8")
    with pytest.raises(UsageError, match="cannot be used"):
        read_hotwords(str(tmp_path / "binary"))


def test_a_dictionary_is_refused(tmp_path):
    words = [f"word{number}" for number in range(MAX_HOTWORDS + 1)]
    with pytest.raises(ValueError, match="1,001 hotwords; at most 1,000"):
        parse_hotwords(words)
    (tmp_path / "words.txt").write_text("\n".join(words))
    with pytest.raises(UsageError, match="at most 1,000"):
        read_hotwords(str(tmp_path / "words.txt"))
