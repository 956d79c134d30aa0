"""Texts as tables can hold them: names on a disk are bytes, and JSON can say what is no Unicode text."""

import re

_SURROGATES = re.compile("[\ud800-\udfff]")


def is_storable(text: str) -> bool:
    """Whether a text is valid Unicode, so that it can be written as UTF-8."""
    return _SURROGATES.search(text) is None


def storable(text: str) -> str:
    r"""The same text, with escapes in the place of what is no valid Unicode.

    >>> import os
    >>> print(storable(os.fsdecode(b"caf\xe9.wav")))
    caf\xe9.wav
    """
    return _SURROGATES.sub(lambda found: _escape(ord(found.group())), text)


def _escape(code: int) -> str:
    """A byte of a name, which Python keeps as U+DC80 to U+DCFF, or half of a pair."""
    return rf"\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else rf"\u{code:04x}"
