"""One run at a time on an output, also where there are no file locks: a lease that has to be renewed.

The lease is the highest numbered object of a folder. To hold it is to have created that object, which a storage grants
to one alone ("create only if it is not there"); the holder writes it again every few seconds with one more beat. Nobody
compares the clocks of two machines: a contender takes the lease of another by creating the next number after it has
watched the beats stand still for as long as the holder was allowed to be silent, by its own clock, or where the
storage's own time stamps say that they have stood still for that long. A holder that could not renew for so long, or
finds a higher number, has lost the lease and stops.
"""

import contextlib
import json
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from funasr_beam.model.errors import RunError
from funasr_beam.model.records import Seconds
from funasr_beam.model.storage import Folder

FOLDER = "_work/lease"
_log = logging.getLogger("funasr_beam")


def _time_since_boot() -> float:
    """Seconds that go on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass(frozen=True)
class LeaseTiming:
    """How often a holder shows life, and how long it may be silent."""

    beat_s: Seconds = 10.0
    silence_s: Seconds = 60.0
    look_s: Seconds = 1.0  # between two looks of a contender


@dataclass(frozen=True)
class Holder:
    """Who holds a lease; written into it."""

    token: str
    host: str  # as people know it
    machine: str  # what numbers the processes: boot and process namespace
    pid: int
    started: str  # of the process, in the kernel's clock ticks since boot
    since: str
    beats: int = 0
    released: bool = False

    @classmethod
    def of_this_process(cls) -> "Holder":
        """This process, with a token of its own."""
        pid = os.getpid()
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return cls(uuid.uuid4().hex, socket.gethostname(), _machine(), pid, _started(pid), now)

    @property
    def is_gone(self) -> bool:
        """Whether it certainly holds nothing any more: it said so, or it was a process of this machine that ended."""
        return self.released or (self.machine == _machine() != "" and _started(self.pid) != self.started)


class Lease:
    """The right to work on an output; use `held`."""

    def __init__(
        self, output: Folder, timing: LeaseTiming = LeaseTiming(), clock: Callable[[], float] = _time_since_boot
    ) -> None:
        self._output = output
        self._timing = timing
        self._clock = clock
        self._me = Holder.of_this_process()
        self._number = 0
        self._renewed_at = clock()
        self._lost = False
        self._over = threading.Event()

    @contextlib.contextmanager
    def held(self) -> Iterator["Lease"]:
        """Hold the lease; while it is held, a thread renews it.

        Raises:
            RunError: another run that is alive holds it.
        """
        self._take()
        beating = threading.Thread(target=self._beat, name="lease", daemon=True)
        beating.start()
        try:
            yield self
        finally:
            self._over.set()
            beating.join()
            self._release()

    def check(self) -> None:
        """Do nothing as long as the lease is held; asks the storage, so call it before what must not happen twice.

        Raises:
            RunError: another run has taken over, or nobody can say that none has.
        """
        if not self._lost:
            self._look()
        if self._lost:
            raise RunError(
                f"{self._output.show()}: this run was silent for so long that another one may have taken over; it "
                "stops here. What is committed is kept: run the same command again when the other one has ended"
            )

    def renew(self) -> None:
        """Show life once."""
        self._me = replace(self._me, beats=self._me.beats + 1)
        began = self._clock()
        try:
            self._output.write(_name(self._number), _encode(self._me))
            if not self._was_silent():
                self._renewed_at = began
            self._look()
        except (RunError, FileNotFoundError) as error:
            _log.warning("The lease of %s could not be renewed: %s", self._output.show(), error)

    def _look(self) -> None:
        """Find out whether the lease is still this one's."""
        self._lost = self._lost or self._was_silent() or self._highest() > self._number

    def _was_silent(self) -> bool:
        """Whether others may have taken this one for dead."""
        return self._clock() - self._renewed_at > self._timing.silence_s

    def _beat(self) -> None:
        while not self._over.wait(self._timing.beat_s) and not self._lost:
            self.renew()

    def _release(self) -> None:
        if self._lost:
            return
        with contextlib.suppress(RunError, FileNotFoundError):  # then it ends by silence
            self._output.write(_name(self._number), _encode(replace(self._me, released=True)))

    def _take(self) -> None:
        number = self._highest()
        if number:
            holder = self._read(number)
            if holder is not None and not holder.is_gone and self._is_alive(number, holder):
                raise _at_work(self._output, holder)
        self._number = number + 1
        self._renewed_at = self._clock()
        if not self._create():
            raise _at_work(self._output, self._read(self._number))
        for name in self._output.names(FOLDER):
            if _number(name) < self._number:
                self._output.remove(f"{FOLDER}/{name}")

    def _create(self) -> bool:
        """Whether the next number is this one's: created, and still so when read back."""
        with contextlib.suppress(FileExistsError):  # perhaps by ourselves, with an answer that got lost
            self._output.create(_name(self._number), _encode(self._me))
        found = self._read(self._number)
        return found is not None and found.token == self._me.token and self._highest() == self._number

    def _is_alive(self, number: int, holder: Holder) -> bool:
        """Whether a holder shows life within the time that it has for it."""
        if self._silence_s(number) > self._timing.silence_s:
            return False
        who = f"{holder.host} (process {holder.pid})"
        most_s = self._timing.silence_s
        _log.info("A run on %s holds this output; waiting up to %.0f s for a sign of life", who, most_s)
        began = self._clock()
        while self._clock() - began <= most_s:
            time.sleep(self._timing.look_s)
            now = self._read(number)
            if now is None or now.beats != holder.beats:
                return now is not None and not now.is_gone
        return False

    def _silence_s(self, number: int) -> Seconds:
        """For how long the storage, by its own clock, has seen no beat; 0 where it does not tell."""
        probe = f"{FOLDER}/probe.tmp"
        try:
            self._output.write(probe, b"")
            return max(0.0, self._output.modified_s(probe) - self._output.modified_s(_name(number)))
        except (NotImplementedError, FileNotFoundError):
            return 0.0
        finally:
            self._output.remove(probe)

    def _highest(self) -> int:
        return max((_number(name) for name in self._output.names(FOLDER)), default=0)

    def _read(self, number: int) -> Holder | None:
        try:
            return Holder(**json.loads(self._output.read(_name(number))))
        except (FileNotFoundError, ValueError, TypeError):
            return None


def _at_work(output: Folder, holder: Holder | None) -> RunError:
    who = f" (on {holder.host}, process {holder.pid}, since {holder.since})" if holder else ""
    return RunError(f"another run is at work in {output.show()}{who}; wait until it has ended")


def _encode(holder: Holder) -> bytes:
    return json.dumps(asdict(holder)).encode()


def _name(number: int) -> str:
    return f"{FOLDER}/{number:09d}.json"


def _number(name: str) -> int:
    stem = name.removesuffix(".json")
    return int(stem) if stem.isdigit() else 0


def _machine() -> str:
    """What tells apart the places where process numbers mean the same; empty where the kernel does not say."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _started(pid: int) -> str:
    """When a process started, to tell it from a later one of the same number; empty where there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()[19]
    except OSError:
        return ""
