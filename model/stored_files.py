"""Files of an output that are read back; a damaged one is told by its name, with what to do about it."""

import contextlib
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pyarrow.parquet as pq

from funasr_beam.model.errors import RunError
from funasr_beam.model.storage import Folder

_WORK = "_work/"
_MOST_DAMAGED = 1000  # a disk on which there are more is broken
_Done = TypeVar("_Done")
_log = logging.getLogger("funasr_beam")


class DamagedFileError(RunError):
    """A file of an output does not hold what was written into it."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name  # inside the output

    @property
    def can_be_made_again(self) -> bool:
        """Whether nothing is lost with the file: it only saves work."""
        return self.name.startswith(_WORK)

    def __reduce__(self) -> tuple[type["DamagedFileError"], tuple[str, str]]:
        return type(self), (self.name, str(self))


@contextlib.contextmanager
def open_parquet(output: Folder, name: str) -> Iterator[pq.ParquetFile]:
    """A Parquet file of an output; what is read from it inside the `with` is covered.

    Raises:
        DamagedFileError: it is none, or some of it cannot be read.
    """
    with output.open(name) as file, telling_damage(output, name):
        yield pq.ParquetFile(file)


def read_json(output: Folder, name: str) -> Any:
    """The content of a JSON file of an output.

    Raises:
        DamagedFileError: it is none.
    """
    text = output.read(name)
    with telling_damage(output, name):
        return json.loads(text)


@contextlib.contextmanager
def telling_damage(output: Folder, name: str) -> Iterator[None]:
    """Turn what a reader says of a file that holds something else into a DamagedFileError."""
    try:
        yield
    except (ValueError, KeyError, TypeError) as error:  # of Arrow, JSON and pydantic
        raise _damaged(output, name, error) from error
    except OSError as error:
        if error.errno is not None:  # the storage's word; Arrow has no number for data that cannot be unpacked
            raise
        raise _damaged(output, name, error) from error


def without_damage(output: Folder, work: Callable[[], _Done]) -> _Done:
    """What the work gives; it begins again each time a damaged file was in its way that only saves work."""
    for _ in range(_MOST_DAMAGED):
        try:
            return work()
        except DamagedFileError as error:
            if not error.can_be_made_again:
                raise
            _log.warning("%s is damaged: what was in it is done again", output.show(error.name))
            output.remove(error.name)
    return work()


def _damaged(output: Folder, name: str, error: Exception) -> DamagedFileError:
    said = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return DamagedFileError(name, f"{output.show(name)}: is damaged ({said}); {_remedy(name)}")


def _remedy(name: str) -> str:
    if name.startswith(_WORK):
        return "run the same transcribe command again: it makes it anew"
    table, _, rest = name.partition("/")
    if table == "runs":
        return "restore it from a copy, or delete it: transcripts do not depend on it"
    run = rest.partition("/")[0]
    return (
        f"restore it from a copy, or delete the folders {run} of recordings, segments and speech: the same transcribe "
        "command then does their recordings again"
    )
