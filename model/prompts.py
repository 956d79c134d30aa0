"""The instruction that Fun-ASR-Nano was trained with, built as a string for each utterance."""

import re

from funasr_beam.model.languages import LANGUAGE_NAMES, language_code
from funasr_beam.model.records import RecognitionOptions

AUDIO_TOKEN = "<|object_ref_start|>"
"""Stands once where the audio goes; the recogniser puts one embedding per audio token in its place."""

_SYSTEM = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
_CONTEXT_HEAD = (
    "请结合上下文信息，更加准确地完成语音转写任务。如果没有相关信息，我们会留空。\n\n\n**上下文信息：**\n\n\n"
)
_CONTROL_TOKEN = re.compile(r"<\|[^<>|\s]*\|>")


def build_prompt(options: RecognitionOptions, *, itn: bool) -> str:
    """The whole ChatML prompt of one utterance, with a single `AUDIO_TOKEN` for its audio.

    Args:
        options: language (code or name; None or "auto" leaves it out of the prompt), hotwords, context.
        itn: whether the model writes numbers and dates in digits itself; off when words need times.

    Raises:
        ValueError: the language is unknown; the message names the nearest ones.

    Source: `get_prompt` of funasr 1.4.16 (models/fun_asr_nano) inside Qwen's ChatML frame.
    """
    user = instruction(options, itn=itn) + AUDIO_TOKEN
    return f"{_SYSTEM}<|im_start|>user\n{user}<|im_end|>\n<|im_start|>assistant\n"


def instruction(options: RecognitionOptions, *, itn: bool) -> str:
    """The user's part of the prompt: context and hotwords if there are any, then the task and its language."""
    code = language_code(options.language, LANGUAGE_NAMES)
    target = f"成{LANGUAGE_NAMES[code]}" if code else ""
    verbatim = "" if itn else "，不进行文本规整"
    return f"{_context(options)}语音转写{target}{verbatim}："


def without_control_tokens(text: str) -> str:
    """The text with nothing left in it that a tokenizer could take for a control token.

    Whole tokens such as `<|im_end|>` go; stray `<|` and `|>` are split, so that no removal can make a new token.
    """
    plain = _CONTROL_TOKEN.sub("", text)
    return plain.replace("<|", "< |").replace("|>", "| >")


def _context(options: RecognitionOptions) -> str:
    """The optional head: lines of context, then the list of hotwords."""
    lines = [line for line in map(_one_line, (options.context or "").splitlines()) if line]
    hotwords = [word for word in map(_one_line, options.hotwords) if word]
    if hotwords:
        lines.append(f"热词列表：[{', '.join(hotwords)}]")
    return _CONTEXT_HEAD + "".join(f"{line}\n" for line in lines) if lines else ""


def _one_line(text: str) -> str:
    """A user's words as one harmless line: a line break would end the hotword list and start an instruction."""
    return " ".join(without_control_tokens(text).split())
