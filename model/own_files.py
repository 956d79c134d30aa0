"""What below an input is the output's own, and so no recording: the two may lie inside each other."""

import os
import re
from collections.abc import Callable
from typing import Any

from fsspec.implementations.local import LocalFileSystem

from funasr_beam.model.redaction import public_uri
from funasr_beam.model.storage import locate
from funasr_beam.model.tables import TABLES

_OWN = re.compile(rf"(({'|'.join(TABLES)})/run=|runs/|_work/|latest(\.\w+)?\.sql$|report\.html$)")
"""What an output consists of; in a folder that holds recordings, too, everything else is an input."""


def own_files(fs: Any, root: str, output: str) -> Callable[[str], bool]:
    """Tells of a path below the folder `root` whether it belongs to an output.

    All of an output that lies inside the folder does: what somebody exports into it is no recording either. Of an
    output that is the folder, or around it, only what a run writes does.
    """
    here, there = _place(fs, root), _place(*locate(output))
    start = len(root.rstrip("/")) + 1
    if there != here and there.startswith(here):
        inside = there.removeprefix(here)
        return lambda path: f"{path[start:]}/".startswith(inside)
    if here.startswith(there):
        above = here.removeprefix(there)
        return lambda path: _OWN.match(f"{above}{path[start:]}") is not None
    return lambda _: False


def _place(fs: Any, path: str) -> str:
    """A folder's URI, of all that it may be called by on a disk the one without links."""
    real = os.path.realpath(path) if isinstance(fs, LocalFileSystem) else path
    return public_uri(str(fs.unstrip_protocol(real.rstrip("/")))) + "/"
