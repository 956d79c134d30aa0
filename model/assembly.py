"""From committed units to published tables: stitch the spans of each recording, judge it, write whole files."""

from collections.abc import Iterable

from funasr_beam.model.outcomes import Outcome, judge
from funasr_beam.model.planning import PlannedRecording
from funasr_beam.model.rows import Provenance, recording_row, segment_rows, speech_rows
from funasr_beam.model.span_index import SpanIndex
from funasr_beam.model.storage import Folder
from funasr_beam.model.table_drafts import PART_BYTES, TableDrafts


def assemble(
    planned: Iterable[PlannedRecording],
    index: SpanIndex,
    output: Folder,
    provenance: Provenance,
    part_bytes: int = PART_BYTES,
) -> None:
    """Write the tables of a run and publish them, `recordings` last.

    Drafts are complete before the first one is moved, so that readers never see a run that is being written. One
    recording at a time: memory depends on neither their number nor the size of the tables.
    """
    with TableDrafts(output, provenance.run_id, part_bytes) as tables:
        for recording in planned:
            outcome = judge(recording, [index.result(span.id) for span in recording.spans])
            _write(outcome, tables, provenance)
        tables.publish()


def _write(outcome: Outcome, tables: TableDrafts, provenance: Provenance) -> None:
    tables.add("segments", segment_rows(outcome, provenance))
    tables.add("speech", speech_rows(outcome, provenance))
    tables.add("recordings", [recording_row(outcome, provenance)])
