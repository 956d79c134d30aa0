"""One run at a time on an output: a file lock on a disk of this machine, a lease everywhere else."""

import contextlib
import errno
import fcntl
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from funasr_beam.model.errors import RunError
from funasr_beam.model.lease import Lease
from funasr_beam.model.storage import Folder
from funasr_beam.pipeline.progress import Snapshot, Watch

_CHECK_EVERY_S = 30.0

_OWN_DISKS = frozenset(
    {"ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "overlay", "tmpfs", "ramfs", "apfs", "jfs"}
)
_MOUNTS = Path("/proc/mounts")
_NO_LOCKS = frozenset({errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK})
Claim = Callable[[], None]
"""Does nothing while the output is still this run's, raises RunError from then on; asked before tables appear."""


@contextlib.contextmanager
def only_run(output: Folder) -> Iterator[Claim]:
    """Keep a second run off an output, from this or any other machine; what was claimed is free when the process ends.

    Raises:
        RunError: the output cannot be written, or another run is at work there.
    """
    with contextlib.ExitStack() as stack:
        if output.is_local:
            stack.enter_context(_lock(output))
            if _is_own_disk(Path(output.root)):
                yield _nothing_to_check
                return
        _check_writable(output)
        yield stack.enter_context(Lease(output).held()).check


def _nothing_to_check() -> None:
    """A file lock is lost with the process and never before."""


def _lock(output: Folder) -> IO[str]:
    path = Path(output.path("_work/lock"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a")
    except OSError as error:
        raise RunError(f"the output {output.show()} cannot be written: {error}; choose another --output") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise RunError(f"another run is at work in {output.show()}; wait until it has ended") from error
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        # A mount that knows no locks is no disk of this machine alone: there the lease decides.
    return file


def _is_own_disk(path: Path) -> bool:
    """Whether only this machine writes there: of a network or bucket mount, others know nothing of our file locks."""
    try:
        text = _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return True
    mounts = {_unescaped(line.split(" ")[1]): line.split(" ")[2] for line in text.splitlines()}
    held = {place: kind for place, kind in mounts.items() if path.resolve().is_relative_to(place)}
    return held[max(held, key=len)] in _OWN_DISKS if held else True


def _unescaped(place: str) -> str:
    r"""A place as the kernel writes it: a space is `\040`."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), place)


def _check_writable(output: Folder) -> None:
    try:
        output.write("_work/probe", b"")
        output.remove("_work/probe")
    except FileNotFoundError as error:
        raise RunError(f"the output {output.show()} cannot be written: there is no such bucket; create it") from error
    except RunError as error:
        raise RunError(f"the output cannot be written: {error}") from error


@dataclass
class ClaimedWatch:
    """A watch that also sees to it that the output is still this run's."""

    watch: Watch
    check: Claim
    clock: Callable[[], float] = time.monotonic
    checked_at: float = field(default=0.0, init=False)

    def look(self) -> Snapshot:
        """How far the run is.

        Raises:
            RunError: the run has lost its claim.
        """
        if self.clock() - self.checked_at > _CHECK_EVERY_S:
            self.check()
            self.checked_at = self.clock()
        return self.watch.look()
