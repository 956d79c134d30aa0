"""The standard streams of the program: there, and able to take every text, however it was started."""

import io
import os
import sys


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
