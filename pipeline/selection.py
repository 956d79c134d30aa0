"""The selection funnel: which segments of an output are good enough for a corpus, and what each threshold costs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from funasr_beam.model.errors import UsageError
from funasr_beam.model.evaluation.errors import agreement
from funasr_beam.model.evaluation.normalizers import NORMALIZERS, normalizer_for
from funasr_beam.model.records import Seconds
from funasr_beam.model.storage import Folder
from funasr_beam.model.tables import TABLES
from funasr_beam.pipeline.views import RECORDING_COLUMNS, batches, blaming_where, chosen, open_views

if TYPE_CHECKING:
    import duckdb

_BATCH_ROWS = 16_384
_AGREEMENT = pa.schema([("segment_id", pa.string()), ("agreement", pa.float64())])
_OTHER = pa.schema([("segment_id", pa.string()), ("other", pa.string())])


@dataclass(frozen=True)
class Criteria:
    """What a segment must have; None: no matter. A value that is not known passes no threshold."""

    languages: tuple[str, ...] = ()
    min_length_s: float | None = None
    max_length_s: float | None = None
    min_confidence: float | None = None
    min_snr_db: float | None = None
    max_clipping: float | None = None
    min_bandwidth_hz: float | None = None
    min_chars_per_s: float | None = None
    max_chars_per_s: float | None = None
    without_flags: bool = False
    min_agreement: float | None = None
    where: str | None = None  # SQL over the columns of segments and of their recordings

    def steps(self) -> "Iterator[Step]":
        """The conditions, each as SQL, in the order in which they are applied."""
        yield Step("with text", "s.error_code IS NULL AND length(trim(s.text)) > 0")
        if self.languages:
            names = ", ".join("'" + name.replace("'", "''") + "'" for name in self.languages)
            yield Step(f"language {', '.join(self.languages)}", f"s.language IN ({names})")
        for name, expression, sign, limit in (
            ("length", 's."end" - s.start', ">=", self.min_length_s),
            ("length", 's."end" - s.start', "<=", self.max_length_s),
            ("confidence", "s.confidence", ">=", self.min_confidence),
            ("SNR", "s.snr_db", ">=", self.min_snr_db),
            ("clipping", "s.clipping", "<=", self.max_clipping),
            ("bandwidth", "s.bandwidth_hz", ">=", self.min_bandwidth_hz),
            ("characters per s", "s.chars_per_s", ">=", self.min_chars_per_s),
            ("characters per s", "s.chars_per_s", "<=", self.max_chars_per_s),
        ):
            if limit is not None:
                yield Step(f"{name} {sign} {limit:g}", f"{expression} {sign} {limit!r}")
        if self.without_flags:
            yield Step("without flags", "coalesce(len(s.flags), 0) = 0")
        if self.min_agreement is not None:
            yield Step(f"agreement >= {self.min_agreement:g}", f"agreement >= {self.min_agreement!r}")
        if self.where is not None:
            yield Step(f"where {self.where}", f"({self.where}\n)")  # it may end with a comment


@dataclass(frozen=True)
class Step:
    """One condition by its name."""

    name: str
    condition: str


@dataclass(frozen=True)
class Remaining:
    """What is left after a step."""

    step: str
    segments: int
    seconds: Seconds


@dataclass(frozen=True)
class Selection:
    """A funnel over an open output; its rows can be read while the connection is open."""

    connection: "duckdb.DuckDBPyConnection"
    funnel: tuple[Remaining, ...]
    _query: str = field(repr=False)

    def rows(self) -> Iterator[pa.RecordBatch]:
        """The selected segments in a fixed order: all their columns, `uri`, `num_channels`, `metadata`, `agreement`."""
        reader = self.connection.sql(self._query).to_arrow_reader(_BATCH_ROWS)
        yield from batches(reader)

    @property
    def schema(self) -> pa.Schema:
        """Of these rows."""
        return self.connection.sql(f"{self._query} LIMIT 0").to_arrow_table().schema


def select_segments(
    connection: "duckdb.DuckDBPyConnection", criteria: Criteria, other: Folder | None = None
) -> Selection:
    """The funnel over the current rows of an output.

    Args:
        connection: from `open_views`.
        criteria: what a segment must have.
        other: a second output over the same recordings, by another recogniser, for the agreement.

    Raises:
        UsageError: `where` is no condition, or agreement is asked for without another output.
    """
    if criteria.min_agreement is not None and other is None:
        raise UsageError("--min-agreement:", ["needs --agree-with OUT2, the output of another recogniser"])
    connection.from_arrow(_AGREEMENT.empty_table()).create("agreements")
    if criteria.where is not None:
        chosen(connection.sql(f"SELECT s.*, a.agreement FROM {_joined()}"), criteria.where)
    if other is not None:
        _compare(connection, other)
    steps = list(criteria.steps())
    return Selection(connection, _funnel(connection, steps), _selected(steps))


def _funnel(connection: "duckdb.DuckDBPyConnection", steps: Sequence[Step]) -> tuple[Remaining, ...]:
    """All steps counted in one pass."""
    passed = ", ".join(f"coalesce({step.condition}, false) AS c{place}" for place, step in enumerate(steps))
    counts = ["count(*), coalesce(sum(length), 0)"]
    for place in range(len(steps)):
        together = " AND ".join(f"c{each}" for each in range(place + 1))
        counts.append(f"count(*) FILTER ({together}), coalesce(sum(length) FILTER ({together}), 0)")
    sql = f'SELECT {", ".join(counts)} FROM (SELECT s."end" - s.start AS length, {passed} FROM {_joined()})'
    with blaming_where():
        numbers = connection.sql(sql).fetchall()[0]
    names = ["all segments", *(step.name for step in steps)]
    return tuple(Remaining(name, numbers[2 * place], float(numbers[2 * place + 1])) for place, name in enumerate(names))


def _selected(steps: Sequence[Step]) -> str:
    conditions = " AND ".join(f"coalesce({step.condition}, false)" for step in steps)
    columns = ", ".join(f's."{name}"' for name in [*TABLES["segments"].names, "uri", "num_channels", "metadata"])
    return (
        f"SELECT {columns}, a.agreement FROM {_joined()} WHERE {conditions} "
        "ORDER BY s.uri, s.recording_id, s.start, s.channel, s.segment_id"  # equal outputs make equal files
    )


def _joined() -> str:
    known = f"SELECT s.*, {RECORDING_COLUMNS} FROM segments AS s JOIN recordings AS r USING (recording_id, run_id)"
    return f"({known}) AS s LEFT JOIN agreements AS a ON a.segment_id = s.segment_id"


def _compare(connection: "duckdb.DuckDBPyConnection", other: Folder) -> None:
    """Fill `agreements` with every segment that the other output cut in the same way."""
    connection.from_arrow(_OTHER.empty_table()).create("others")
    with open_views(other) as second:
        found = second.sql("SELECT segment_id, text_raw AS other FROM segments WHERE text_raw IS NOT NULL")
        for batch in found.to_arrow_reader(_BATCH_ROWS):
            connection.from_arrow(pa.Table.from_batches([batch])).insert_into("others")
    pairs = connection.cursor().sql(
        "SELECT s.segment_id, s.language, s.text_raw, o.other FROM segments AS s JOIN others AS o "
        "ON o.segment_id = s.segment_id WHERE s.text_raw IS NOT NULL"
    )
    for batch in pairs.to_arrow_reader(_BATCH_ROWS):
        rows = [{"segment_id": row["segment_id"], "agreement": _agreement(row)} for row in batch.to_pylist()]
        connection.from_arrow(pa.Table.from_pylist(rows, schema=_AGREEMENT)).insert_into("agreements")


def _agreement(row: dict[str, Any]) -> float:
    rule = NORMALIZERS[normalizer_for(row["language"])]
    return agreement(rule(row["text_raw"]), rule(row["other"]))
