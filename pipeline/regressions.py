"""What a run made worse: rows that did not become current, and transcripts that became much shorter."""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from funasr_beam.model.storage import Folder
from funasr_beam.pipeline.current import RUN, current_mask, stored_rows
from funasr_beam.pipeline.run_folder import finished_run_ids

_LEAST_CHARACTERS = 20  # shorter transcripts change by half for no reason
_MOST_EXAMPLES = 20
_SAME_BYTES = ["uri", "recording_id", "fingerprint"]


@dataclass(frozen=True)
class Regressions:
    """Counts, and the first URIs of each kind."""

    kept_older: int = 0
    """Rows of this run that are worse than an older one of the same bytes, which stays current."""

    dropped: int = 0
    """Rows of this run that are current and hold less than half of the characters that were there before."""

    kept_older_uris: tuple[str, ...] = ()
    dropped_uris: tuple[str, ...] = ()


def read_regressions(output: Folder, run_id: str) -> Regressions:
    """What becomes of the rows of a run that is published, but has no `_SUCCESS` yet."""
    if not finished_run_ids(output):
        return Regressions()
    rows = stored_rows(output, also=(run_id,))
    is_mine = pc.equal(rows[RUN], run_id)
    current = pa.array(current_mask(rows))
    kept = rows.filter(pc.and_(is_mine, pc.invert(current)))
    before = rows.filter(pc.invert(is_mine))
    dropped = _dropped(rows.filter(pc.and_(is_mine, current)), before.filter(pa.array(current_mask(before))))
    return Regressions(kept.num_rows, dropped.num_rows, _uris(kept), _uris(dropped))


def _dropped(now: pa.Table, before: pa.Table) -> pa.Table:
    """Rows that say less than half of what was said of the same bytes before."""
    columns = [*_SAME_BYTES, "num_characters"]
    pairs = now.select(columns).join(before.select(columns), _SAME_BYTES, join_type="inner", right_suffix="_before")
    length, length_before = (pc.fill_null(pairs[name], 0) for name in ("num_characters", "num_characters_before"))
    much_less = pc.less(pc.multiply(length, 2), length_before)
    return pairs.filter(pc.and_(much_less, pc.greater_equal(length_before, _LEAST_CHARACTERS)))


def _uris(rows: pa.Table) -> tuple[str, ...]:
    return tuple(rows["uri"].slice(0, _MOST_EXAMPLES).to_pylist())
