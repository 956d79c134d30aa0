"""The standard streams of the program: there, able to take every text, however it was started, and without noise."""

import io
import logging
import os
import sys

from funasr_beam.model.forwarding_stream import ForwardingStream

_OF_A_WORKER = "apache_beam/runners/worker/sdk_worker.py"
_log = logging.getLogger("funasr_beam")


def prepare_streams() -> None:
    """Open those that were closed, and print escapes in the place of what the encoding outside does not have.

    Some schedulers start programs without them. The next file that is opened would take such a number, and what a
    library prints would go into that file.
    """
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number: this one
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(descriptor, "r" if descriptor == 0 else "w", encoding="utf-8", closefd=False))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


class WithoutWorkerTracebacks(ForwardingStream):
    """A text stream that passes on what is written, but for the tracebacks that a Beam worker prints of its errors.

    They come back to the command, which says in words what they mean, and shows those that it does not know. With
    `--verbose` they are passed on as well.
    """

    _has_left_out = False

    def shown(self, text: str) -> str:
        """The text or nothing; the end of a line that is left out, which `print` writes apart, goes with it."""
        is_rest = self._has_left_out and text == "\n"
        is_noise = text.startswith("Traceback ") and _OF_A_WORKER in text and not _log.isEnabledFor(logging.DEBUG)
        self._has_left_out = is_noise
        return "" if is_noise or is_rest else text
