"""The tokenizer: one token a word wherever it stands, bytes for the rest, short prompts."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from funasr_beam.model.prompts import build_prompt
from funasr_beam.model.records import RecognitionOptions
from funasr_beam.model.training.tokenizer import build_tokenizer

TOKENIZER = build_tokenizer(["thank", "you", "for", "calling", "five", "您", "好", "五"])


def ids(text: str, tokenizer: PreTrainedTokenizerFast = TOKENIZER) -> list[int]:
    encoded: list[int] = tokenizer.encode(text, add_special_tokens=False)
    return encoded


def test_a_word_has_the_same_token_at_the_start_and_inside() -> None:
    assert ids("thank you") == [*ids("thank"), *ids("you")]
    assert ids("you thank")[0] == ids("you")[0]
    assert len(ids("thank you for calling")) == 4


def test_a_han_character_is_one_token() -> None:
    assert len(ids("您好五")) == 3
    assert ids("好")[0] in ids("您好五")


@pytest.mark.parametrize("text", ["thank you", "您好五", "wörd 42, 鬱 x", "Thank You", "您好 thank you 五"])
def test_texts_come_back(text: str) -> None:
    assert TOKENIZER.decode(ids(text)) == text


@given(st.text(alphabet=st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=20))
def test_any_text_without_spaces_comes_back(text: str) -> None:
    assert TOKENIZER.decode(ids(text)) == text


def test_prompts_are_short() -> None:
    assert len(ids(build_prompt(RecognitionOptions(language="zh"), itn=False))) <= 17
    assert len(ids(build_prompt(RecognitionOptions(), itn=True))) <= 15


def test_the_saved_tokenizer_is_the_same(tmp_path: Path) -> None:
    TOKENIZER.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    assert ids("thank you 您好 other", loaded) == ids("thank you 您好 other")
    assert loaded.padding_side == "left"
    assert loaded.eos_token == "<|im_end|>"
