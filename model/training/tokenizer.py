"""A small tokenizer: one token a word, one a Han character, bytes for everything else.

A word has the same token at the start of a text and inside it: a leading space is put before Latin words when a text is
encoded and taken off when tokens are decoded. The pieces of the ChatML prompt are tokens of their own, so that a prompt
costs about fifteen.
"""

from __future__ import annotations

from collections.abc import Iterable

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

PAD, TURN_START, TURN_END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
AUDIO, AUDIO_END = "<|object_ref_start|>", "<|object_ref_end|>"
SPECIALS = (PAD, TURN_START, TURN_END, AUDIO, AUDIO_END)
PROMPT_PIECES = (
    "system\n",
    "You are a helpful assistant.",
    "user\n",
    "assistant\n",
    "\n",
    "语音转写",
    "成中文",
    "成英文",
    "，不进行文本规整",
    "：",
    "请结合上下文信息，更加准确地完成语音转写任务。如果没有相关信息，我们会留空。\n\n\n**上下文信息：**\n\n\n",
    "热词列表：[",
    "]\n",
)
HAN = "\u3400-\u4dbf\u4e00-\u9fff"


def build_tokenizer(words: Iterable[str]) -> PreTrainedTokenizerFast:
    """A tokenizer with a token for each of the words (Han characters count as words) and for every byte."""
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    vocabulary = {token: index for index, token in enumerate(SPECIALS)}
    for token in sorted(pre_tokenizers.ByteLevel.alphabet()):
        vocabulary.setdefault(token, len(vocabulary))
    for word in sorted(set(words)):
        spoken = word if _is_han(word) else f" {word}"
        vocabulary.setdefault(byte_level.pre_tokenize_str(spoken)[0][0], len(vocabulary))
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], ignore_merges=True))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend(" "), normalizers.Replace(Regex(r"\A (?![A-Za-z0-9'])"), "")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(f"[{HAN}]| ?[^ \\n{HAN}]+"), "isolated"),
            byte_level,
        ]
    )
    tokenizer.decoder = decoders.Sequence([decoders.ByteLevel(), decoders.Strip(" ", 1, 0)])
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIALS])
    tokenizer.add_tokens([AddedToken(piece, special=False, normalized=False) for piece in PROMPT_PIECES])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=TURN_END,
        additional_special_tokens=[TURN_START, AUDIO, AUDIO_END],
        padding_side="left",
        padding=True,
        model_max_length=4096,
        clean_up_tokenization_spaces=False,
    )


def _is_han(word: str) -> bool:
    return len(word) == 1 and ("\u3400" <= word <= "\u4dbf" or "\u4e00" <= word <= "\u9fff")
