"""What is done already, read from the output itself: an anti-join of the listing with the rows of finished runs."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from funasr_beam.model.errors import Cause
from funasr_beam.model.listing import Listed
from funasr_beam.model.planning import recording_config_hash
from funasr_beam.model.storage import Folder
from funasr_beam.pipeline.config import Retry
from funasr_beam.pipeline.current import current_mask, newest_mask, stored_rows

_DIGEST_BYTES = 16
_KEY = ("uri", "recording_id", "fingerprint", "config_hash")
_PASSING = pa.array([cause.value for cause in Cause if cause.retryable])


@dataclass
class DoneIndex:
    """Which recordings need no work: some 30 bytes for each that an earlier run saw.

    The current row decides, if it has the wanted configuration; otherwise the last that was said of these bytes does,
    so that a new model is not asked every night about a file that it cannot read. An earlier model's rows say nothing
    about a new one, and going back to an earlier model is work, too.
    """

    digests: npt.NDArray[np.bytes_]  # sorted
    is_done: npt.NDArray[np.bool_]
    tries: npt.NDArray[np.int32]
    unchanged: int = field(default=0, init=False)

    def leave_out_done(self, listed: Iterable[Listed], text_hash: str) -> Iterator[Listed]:
        """What is left to do, each with its number of earlier tries; what is done is counted in `unchanged`."""
        for item in listed:
            place = self._find(item, text_hash)
            if place is not None and self.is_done[place]:
                self.unchanged += 1
            else:
                yield item if place is None else replace(item, tries_before=int(self.tries[place]))

    def _find(self, item: Listed, text_hash: str) -> int | None:
        recording = item.recording
        key = recording_config_hash(recording, text_hash)
        wanted = _digest((recording.uri, recording.id, recording.fingerprint, key))
        place = int(np.searchsorted(self.digests, wanted))
        # NumPy compares as if trailing zero bytes were not there; so does it when it sorts.
        return place if place < len(self.digests) and self.digests[place] == wanted.rstrip(b"\0") else None


def read_done(output: Folder, retry: Retry) -> DoneIndex:
    """What finished runs of an output leave to do under a wish to retry."""
    rows = stored_rows(output, ("error_code", "attempts"))
    current = current_mask(rows)
    first, second = rows.filter(pa.array(current)), rows.filter(pa.array(newest_mask(rows) & ~current))
    digests = np.array([*_digests(first), *_digests(second)], f"S{_DIGEST_BYTES}")
    digests, kept = np.unique(digests, return_index=True)  # of equal keys the first: the current row
    both = pa.concat_tables([first, second])
    tries = np.asarray(pc.fill_null(both["attempts"], 1)).astype(np.int32)
    return DoneIndex(digests, _is_final(both, retry)[kept], tries[kept])


def _digests(rows: pa.Table) -> Iterator[bytes]:
    for batch in rows.select(_KEY).to_batches(max_chunksize=10_000):
        yield from map(_digest, zip(*(batch[name].to_pylist() for name in _KEY), strict=True))


def _digest(key: Sequence[str | None]) -> bytes:
    text = "\n".join(part or "" for part in key)
    return hashlib.blake2b(text.encode(), digest_size=_DIGEST_BYTES).digest()


def _is_final(rows: pa.Table, retry: Retry) -> npt.NDArray[np.bool_]:
    """Which rows need no other try."""
    failed, partial = pc.equal(rows["status"], "failed"), pc.equal(rows["status"], "partial")
    again = pc.and_(failed, pc.is_in(rows["error_code"], value_set=_PASSING))
    if retry in ("failed", "all"):
        again = failed
    if retry in ("partial", "all"):
        again = pc.or_(again, partial)
    return ~np.asarray(again).astype(bool)
