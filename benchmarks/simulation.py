"""Nights over a bucket that is not there: recordings without audio, a recogniser that hears what their name says.

Listing, plan, Beam graph, commits, assembly and every table are the real ones; only sound and model are left out.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, ClassVar

import apache_beam as beam
import fsspec
from fsspec.implementations.local import LocalFileSystem
from fsspec.spec import AbstractFileSystem

from funasr_beam.model.commits import CommittedUnits
from funasr_beam.model.errors import Cause
from funasr_beam.model.records import Failure, MediaInfo, Recording, Span, SpeechInterval, Unit
from funasr_beam.model.results import SegmentResult, SpanResult, UnitResult
from funasr_beam.model.rows import Provenance
from funasr_beam.pipeline.plan import Plan
from funasr_beam.transforms.commit_units import CommitUnits
from funasr_beam.transforms.planned_units import PlannedUnits

PER_FOLDER = 1000
MEDIA = MediaInfo("wav", "pcm_s16le", 8000, 1, 60.0)
_PAGE = 1000  # names in one answer of an object store


@dataclass(frozen=True)
class Bucket:
    """Recordings that exist by their number only; every night some have other bytes."""

    count: int
    changed_share: float = 0.0
    night: int = 0

    def version(self, number: int) -> int:
        """In which night a recording got the bytes that it has."""
        changes = (night for night in range(self.night, 0, -1) if share(number, night, "changed") < self.changed_share)
        return next(changes, 0)


class SimulatedBucket(AbstractFileSystem):  # type: ignore[misc]
    """`sim://archive/`: lists a `Bucket` and counts the requests that an object store would have got for it."""

    protocol = "sim"
    cachable = False
    bucket = Bucket(0)
    requests: ClassVar[Counter[str]] = Counter()

    def ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:
        """The folders of the archive, or the recordings of one."""
        place = self._strip_protocol(path)
        entries = self._folders() if "/" not in place else list(self._files(place))
        type(self).requests["LIST"] += max(1, -(-len(entries) // _PAGE))
        return entries if detail else [entry["name"] for entry in entries]

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """A folder, by its name."""
        return {"name": self._strip_protocol(path), "size": 0, "type": "directory"}

    def _folders(self) -> list[dict[str, Any]]:
        count = -(-self.bucket.count // PER_FOLDER)
        return [{"name": f"archive/{number:06d}", "size": 0, "type": "directory"} for number in range(count)]

    def _files(self, folder: str) -> Iterator[dict[str, Any]]:
        first = int(folder.rsplit("/", 1)[1]) * PER_FOLDER
        for number in range(first, min(first + PER_FOLDER, self.bucket.count)):
            size = 200_000 + number * 7919 % 800_000
            tag = f"{number:x}-{self.bucket.version(number)}"
            yield {"name": f"{folder}/call-{number:07d}.wav", "size": size, "type": "file", "ETag": tag}


class CountedStore(AbstractFileSystem):  # type: ignore[misc]
    """`counted://`: a local disk behind the interface of an object store, which counts what it is asked."""

    protocol = "counted"
    cachable = False
    requests: ClassVar[Counter[str]] = Counter()

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._disk = LocalFileSystem(auto_mkdir=True)

    def ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:
        """Names in a folder."""
        found = self._disk.ls(self._strip_protocol(path), detail=True)
        self._count("LIST", max(1, -(-len(found) // _PAGE)))
        return found if detail else [entry["name"] for entry in found]

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """Size and time of a file."""
        self._count("HEAD")
        found: dict[str, Any] = self._disk.info(self._strip_protocol(path))
        return found

    def modified(self, path: str) -> Any:
        """When an object was written."""
        self._count("HEAD")
        return self._disk.modified(self._strip_protocol(path))

    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        """An object store has no folders."""

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **_: Any) -> None:
        """Write an object."""
        self._count("PUT")
        self._disk.pipe_file(self._strip_protocol(path), value)

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **_: Any) -> bytes:
        """Read an object."""
        self._count("GET")
        data: bytes = self._disk.cat_file(self._strip_protocol(path), start, end)
        return data

    def cp_file(self, path1: str, path2: str, **_: Any) -> None:
        """Copy an object."""
        self._count("COPY")
        self._disk.cp_file(self._strip_protocol(path1), self._strip_protocol(path2))

    def rm_file(self, path: str) -> None:
        """Delete an object."""
        self._count("DELETE")
        self._disk.rm_file(self._strip_protocol(path))

    def rm(self, path: str, recursive: bool = False, maxdepth: int | None = None) -> None:
        """Delete objects, a page at a time."""
        place = self._strip_protocol(path)
        self._count("DELETE", max(1, -(-len(self._disk.find(place)) // _PAGE)))
        self._disk.rm(place, recursive=recursive)

    def open(self, path: str, mode: str = "rb", **_: Any) -> Any:
        """A file that counts each block that is read."""
        self._count("HEAD" if "r" in mode else "PUT")
        return _CountedFile(self._disk.open(self._strip_protocol(path), mode), self._count)

    def _count(self, kind: str, number: int = 1) -> None:
        type(self).requests[kind] += number


class _CountedFile:
    """Hands everything on, and counts reads."""

    def __init__(self, file: Any, count: Callable[[str], None]) -> None:
        self._file = file
        self._count = count

    def read(self, *arguments: Any) -> Any:
        self._count("GET")
        return self._file.read(*arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> "_CountedFile":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def register() -> None:
    """Make `sim://` and `counted://` known to fsspec."""
    for store in (SimulatedBucket, CountedStore):
        fsspec.register_implementation(store.protocol, store, clobber=True)


def share(*parts: object) -> float:
    """A number from 0 to 1 that these parts always give."""
    digest = hashlib.blake2b("/".join(map(str, parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def probe(recording: Recording) -> MediaInfo:
    """Every container says the same."""
    return MEDIA


@dataclass(frozen=True)
class SimulatedRecognizer:
    """What the recogniser of a night does: it hears the recording's version, or fails for a reason that may pass."""

    night: int = 0
    failing_share: float = 0.0

    def recognize(self, span: Span) -> SpanResult:
        """The result of a span."""
        name = span.recording.uri.rsplit("/", 1)[-1]
        media = span.media or MEDIA
        result = SpanResult(
            span_id=span.id, recording_id=span.recording.id, index=span.index, start_s=0.0, end_s=0.0, media=media
        )
        if share(name, self.night, "fails") < self.failing_share:
            failure = Failure("decode", Cause.STORAGE_UNAVAILABLE, "the storage did not answer")
            return replace(result, failure=failure)
        text = f"{name} {span.recording.fingerprint}"
        segment = SegmentResult(
            channel=0,
            index=0,
            start_s=1.0,
            end_s=5.0,
            text=text,
            text_raw=text,
            language="en",
            words=None,
            timestamp_source="none",
            avg_logprob=-0.1,
            confidence=0.9,
            finish_reason="stop",
            num_tokens=8,
        )
        speech = (SpeechInterval(0, 1.0, 5.0),)
        return replace(result, end_s=60.0, segments=(segment,), speech=speech)


class _Recognize(beam.DoFn):  # type: ignore[misc]
    def __init__(self, recognizer: SimulatedRecognizer, committed: CommittedUnits) -> None:
        self._recognizer = recognizer
        self._committed = committed

    def setup(self) -> None:
        register()

    def process(self, unit: Unit) -> Iterator[UnitResult]:
        if not self._committed.has(unit.name):
            yield UnitResult(unit.name, tuple(self._recognizer.recognize(span) for span in unit.spans))


def build(pipeline: beam.Pipeline, plan: Plan, recognizer: SimulatedRecognizer, committed: CommittedUnits) -> None:
    """The flow's graph, with `Recognize` in the place of decoder and recogniser."""
    units = pipeline | PlannedUnits(plan.files.output, plan.files.unit_files(), plan.access)
    units | "Recognize" >> beam.ParDo(_Recognize(recognizer, committed)) | CommitUnits(committed)


def provenance(run_id: str) -> Provenance:
    """What the rows of a simulated run say of their making."""
    return Provenance(run_id, "null", "0" * 64, "sim", "sim", "sim", datetime.now(UTC))
