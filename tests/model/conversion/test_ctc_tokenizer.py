import base64

import pytest
import tiktoken
from hypothesis import given
from hypothesis import strategies as st

from funasr_beam.model.conversion.ctc_tokenizer import convert_tokens
from funasr_beam.model.conversion.errors import ConversionError
from tests.original_checkpoint import HAN, WORDS, write_tiktoken

PIECES = r"""'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("tokens") / "multilingual.tiktoken"
    write_tiktoken(path)
    return path


@pytest.fixture(scope="module")
def encodings(path):
    """Tiktoken's own, and ours."""
    lines = [line.split() for line in path.read_text().splitlines()]
    ranks = {base64.b64decode(token): int(rank) for token, rank in lines}
    theirs = tiktoken.Encoding("t", pat_str=PIECES, mergeable_ranks=ranks, special_tokens={"<|nospeech|>": len(ranks)})
    return theirs, convert_tokens(path, len(ranks) + 1)


WORDISH = st.lists(st.sampled_from([*WORDS, *HAN, " ", "  ", ", ", "'s", "12", "<|nospeech|>", "é", "\n"]), max_size=12)


@given(text=st.one_of(st.text(max_size=30), WORDISH.map("".join)))
def test_every_text_gets_the_ids_that_tiktoken_gives_it(encodings, text):
    theirs, ours = encodings
    assert ours.encode(text).ids == theirs.encode(text, disallowed_special=())


@given(text=WORDISH.map("".join))
def test_tokens_know_their_place_in_the_text(encodings, text):
    encoding = encodings[1].encode(text)
    assert all(0 <= first < end <= len(text) for first, end in encoding.offsets)
    assert {place for first, end in encoding.offsets for place in range(first, end)} == set(range(len(text)))


def test_a_character_of_several_tokens_is_one_place(encodings):
    encoding = encodings[1].encode("é开")
    assert len(encoding.ids) > 2
    assert set(encoding.offsets) == {(0, 1), (1, 2)}


@pytest.mark.parametrize(
    "content", [b"not base64 0\n", b"YQ== x\n", b"YQ== 0\nYg== 0\n", b"YQ== 0\nYg== 5\n", b"YQ==\n"]
)
def test_a_damaged_file_is_a_message(content, tmp_path):
    (tmp_path / "t").write_bytes(content)
    with pytest.raises(ConversionError):
        convert_tokens(tmp_path / "t", 100)


def test_more_tokens_than_the_head_knows_are_refused(path):
    with pytest.raises(ConversionError, match="the head knows 100"):
        convert_tokens(path, 100)
