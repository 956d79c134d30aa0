"""A text stream before another one."""

import io
from typing import TextIO


class ForwardingStream(io.TextIOBase):
    """Passes on what is written to it; kinds of it change that or leave some out, in `shown`."""

    def __init__(self, stream: TextIO | io.TextIOBase) -> None:
        self._stream = stream

    def shown(self, text: str) -> str:
        """What is passed on of a text."""
        raise NotImplementedError

    def write(self, text: str) -> int:
        """Write a text as it is passed on."""
        self._stream.write(self.shown(text))
        return len(text)

    def flush(self) -> None:
        """Pass on what is held back."""
        self._stream.flush()

    def isatty(self) -> bool:
        """Whether somebody looks on."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """The descriptor of the other stream."""
        return self._stream.fileno()
