"""The rows that are exported: a stream of recordings with their segments, in one fixed order."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from funasr_beam.pipeline.export.records import ExportRecording, ExportSegment, ExportWord
from funasr_beam.pipeline.recording_names import EXPORTED, NAMED_RECORDINGS
from funasr_beam.pipeline.views import RECORDING_COLUMNS, batches, blaming_where, chosen

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

_Key = tuple[str, str]
"""Name and id of a recording."""

_BATCH_ROWS = 4096

_ITEMS = f"""
CREATE VIEW items AS
SELECT s.*, r.name, {RECORDING_COLUMNS}
FROM segments AS s JOIN named_recordings AS r USING (recording_id, run_id)
WHERE s.text IS NOT NULL AND trim(s.text) <> ''
"""

_RECORDING_COLUMNS = (
    "name, recording_id, uri, fingerprint, status, duration, codec, sample_rate, num_channels, language, run_id"
)
_SEGMENT_COLUMNS = 'name, recording_id, channel, start, "end", language, speaker, confidence, snr_db'


@dataclass(frozen=True)
class Choice:
    """Which segments, and which of their texts."""

    where: str | None = None  # an SQL expression over segments and the columns of their recordings
    raw_text: bool = False  # as the model said it, before ITN
    words: bool = True  # whether the words are wanted


@dataclass(frozen=True)
class LeftOut:
    """How many are left out, and why."""

    count: int
    what: str  # "recordings" or "segments"
    why: str


class Selection:
    """The chosen rows of an output; reads them anew for every stream."""

    def __init__(self, connection: "duckdb.DuckDBPyConnection", choice: Choice) -> None:
        """Check the choice.

        Raises:
            UsageError: `where` is no condition over the columns.
        """
        self._connection = connection
        self._choice = choice
        connection.execute(f"CREATE VIEW named_recordings AS {NAMED_RECORDINGS}")
        connection.execute(_ITEMS)
        if choice.where is not None:
            chosen(connection.table("items"), choice.where)

    def recordings(self) -> Iterator[ExportRecording]:
        """Every recording with a transcript and its chosen segments, by name; with `where`, only those with any."""
        segments = _grouped(each for batch in self._batches(self._segments()) for each in _segments_of(batch))
        key, group = next(segments, (None, ()))
        rows = (row for batch in self._batches(self._recording_rows()) for row in batch.to_pylist())
        for row in rows:
            found: tuple[ExportSegment, ...] = ()
            if key == (row["name"], row["recording_id"]):
                found = group
                key, group = next(segments, (None, ()))
            if found or self._choice.where is None:
                yield _recording(row, found)

    def count(self) -> int:
        """How many recordings can come."""
        return self._number("SELECT count(*) FROM named_recordings")

    def digest(self) -> str:
        """A word that changes when any of the rows does."""
        row = f'recording_id, run_id, fingerprint, channel, start, "end", {self._text}'
        sql = f"SELECT count(*) || '-' || bit_xor(hash({row})) FROM items WHERE {self._condition}"
        ((text,),) = self._connection.sql(sql).fetchall()
        return str(text)

    def left_out(self) -> list[LeftOut]:
        """What the tables have and the stream has not."""
        found = self._connection.sql(
            "SELECT count(*), status, error_code FROM recordings "
            f"WHERE status NOT IN {EXPORTED} GROUP BY ALL ORDER BY ALL"
        ).fetchall()
        gone = [LeftOut(count, "recordings", f"{status} ({cause})") for count, status, cause in found]
        gaps = "SELECT coalesce(sum(len(missing)), 0) FROM named_recordings"
        gone.append(LeftOut(self._number(gaps), "stretches", "partial recordings have no transcript there"))
        for condition, why in (("text IS NULL", "recognition failed"), ("trim(text) = ''", "no text in the speech")):
            gone.append(LeftOut(self._number(f"SELECT count(*) FROM segments WHERE {condition}"), "segments", why))
        if self._choice.where is not None:
            unmatched = self._number(f"SELECT count(*) FROM items WHERE ({self._condition}) IS NOT TRUE")
            gone.append(LeftOut(unmatched, "segments", "not chosen by --where"))
        return [each for each in gone if each.count]

    @property
    def _condition(self) -> str:
        return "TRUE" if self._choice.where is None else f"({self._choice.where}\n)"

    @property
    def _text(self) -> str:
        return "text_raw" if self._choice.raw_text else "text"

    def _recording_rows(self) -> str:
        return f"SELECT {_RECORDING_COLUMNS} FROM named_recordings ORDER BY name, recording_id"

    def _segments(self) -> str:
        words = "words" if self._choice.words else "NULL AS words"
        return (
            f"SELECT {_SEGMENT_COLUMNS}, {self._text} AS text, {words} FROM items WHERE {self._condition} "
            "ORDER BY name, recording_id, start, channel"
        )

    def _number(self, sql: str) -> int:
        ((value,),) = self._connection.sql(sql).fetchall()
        return int(value or 0)

    def _batches(self, sql: str) -> Iterator["pa.RecordBatch"]:
        with blaming_where():
            reader = self._connection.cursor().sql(sql).to_arrow_reader(_BATCH_ROWS)
        yield from batches(reader)


def _grouped(found: Iterator[tuple[_Key, ExportSegment]]) -> Iterator[tuple[_Key, tuple[ExportSegment, ...]]]:
    for key, group in groupby(found, key=itemgetter(0)):
        yield key, tuple(segment for _, segment in group)


def _segments_of(batch: "pa.RecordBatch") -> Iterator[tuple[_Key, ExportSegment]]:
    """Segments with the recording that each belongs to, read column by column: rows as dicts take thrice the time."""
    columns = {name: batch.column(name).to_pylist() for name in batch.schema.names if name != "words"}
    told = zip(*columns.values(), _words_of(batch.column("words")), strict=True)
    for name, recording_id, channel, start_s, end_s, language, speaker, confidence, snr_db, text, words in told:
        segment_id = f"{name}-{channel}-{round(start_s * 1000):09d}-{round(end_s * 1000):09d}"
        yield (
            (name, recording_id),
            ExportSegment(
                id=segment_id,
                channel=channel,
                start_s=start_s,
                end_s=end_s,
                text=text,
                language=language,
                speaker=speaker,
                confidence=confidence,
                snr_db=snr_db,
                words=words,
            ),
        )


def _words_of(column: "pa.Array") -> list[tuple[ExportWord, ...] | None]:
    """The words of each row; None where there is no list."""
    import pyarrow as pa

    if not pa.types.is_list(column.type):  # they were not asked for
        return [None] * len(column)
    parts = [column.values.field(name).to_pylist() for name in ("word", "start", "end", "confidence")]
    words = [ExportWord(*each) for each in zip(*parts, strict=True)]
    borders, known = column.offsets.to_pylist(), column.is_valid().to_pylist()
    return [tuple(words[a:b]) if ok else None for a, b, ok in zip(borders, borders[1:], known, strict=False)]


def _recording(row: dict[str, Any], segments: tuple[ExportSegment, ...]) -> ExportRecording:
    return ExportRecording(
        name=row["name"],
        id=row["recording_id"],
        uri=row["uri"],
        fingerprint=row["fingerprint"] or "",
        status=row["status"],
        duration_s=row["duration"] or 0.0,
        codec=row["codec"] or "",
        sample_rate=row["sample_rate"] or 16_000,
        num_channels=row["num_channels"] or 1,
        language=row["language"],
        segments=segments,
    )
