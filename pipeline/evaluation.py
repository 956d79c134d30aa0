"""An output against references: which recording a reference belongs to, and what was recognised in it."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from funasr_beam.model.errors import UsageError
from funasr_beam.model.evaluation.recordings import HypothesisSegment, Rules, score_recording
from funasr_beam.model.evaluation.references import ReferenceTurn, TimedToken, read_references
from funasr_beam.model.evaluation.results import EvaluatedRecording, Evaluation
from funasr_beam.model.storage import Folder
from funasr_beam.pipeline.matching import match_references
from funasr_beam.pipeline.views import open_views

if TYPE_CHECKING:
    import duckdb

_BATCH_ROWS = 512  # recordings with all their segments and words
_INSERT_ROWS = 10_000
_SHOWN = 5
_TIMED = pa.struct([("word", pa.string()), ("start_s", pa.float64()), ("end_s", pa.float64())])
_TURNS = pa.schema(
    [
        ("place", pa.int64()),
        ("id", pa.string()),
        ("uri", pa.string()),
        ("text", pa.string()),
        ("channel", pa.int32()),
        ("start_s", pa.float64()),
        ("words", pa.list_(_TIMED)),
        ("end_s", pa.float64()),
        ("is_ignored", pa.bool_()),
    ]
)

_OWN_TURNS = """\
CREATE TEMP TABLE turns AS
SELECT row_number() OVER () AS place, recording_id AS id, uri, reference AS text, NULL::INTEGER AS channel,
  NULL::DOUBLE AS start_s, NULL::STRUCT(word VARCHAR, start_s DOUBLE, end_s DOUBLE)[] AS words,
  NULL::DOUBLE AS end_s, FALSE AS is_ignored
FROM recordings WHERE reference IS NOT NULL"""

_PAIRS = """\
WITH said AS (
  SELECT m.recording_id,
    list({{'text': t.text, 'channel': t.channel, 'start_s': t.start_s, 'words': t.words, 'end_s': t.end_s,
      'is_ignored': t.is_ignored}}
      ORDER BY t.start_s NULLS LAST, t.place) AS turns
  FROM turns AS t JOIN matches AS m
    ON m.id IS NOT DISTINCT FROM t.id AND m.uri IS NOT DISTINCT FROM t.uri AND m.found = 1
  GROUP BY 1
), heard AS (
  SELECT s.recording_id,
    list({{'channel': s.channel, 'start_s': s.start, 'end_s': s."end", 'text': s.text, 'text_raw': s.text_raw,
      'words': {words}}}
      ORDER BY s.start, s.channel) AS segments
  FROM segments AS s SEMI JOIN said ON said.recording_id = s.recording_id
  GROUP BY 1
)
SELECT r.recording_id, r.uri, r.status, r.language, r.num_channels, r.channel_layout, said.turns, heard.segments
FROM said JOIN recordings AS r ON r.recording_id = said.recording_id
  LEFT JOIN heard ON heard.recording_id = said.recording_id"""


@dataclass(frozen=True)
class Matching:
    """How many references found their recording."""

    references: int
    matched: int
    unmatched: tuple[str, ...]  # a few of those that did not
    ambiguous: tuple[str, ...]  # a few of those that fit several


def evaluate_output(
    output: Folder,
    references: str | None,
    rules: Rules,
    keep_worst: int,
    each: Callable[[EvaluatedRecording], None] | None = None,
) -> tuple[Evaluation, Matching]:
    """Score the current rows of an output.

    Args:
        output: with at least one finished run.
        references: a file; None: the `reference` column of the recordings, from their manifest.
        rules: what the user fixed.
        keep_worst: how many of the worst recordings are kept with their texts.
        each: is given every recording.

    Raises:
        UsageError: there is no reference, or none that fits a recording.
    """
    evaluation = Evaluation(keep_worst)
    with open_views(output) as connection:
        _load(connection, references)
        match_references(connection)
        matching = _matching(connection)
        _check(matching, references)
        for recording in _scored(connection, rules):
            evaluation.add(recording)
            if each is not None:
                each(recording)
    return evaluation, matching


def _load(connection: "duckdb.DuckDBPyConnection", references: str | None) -> None:
    if references is None:
        connection.execute(_OWN_TURNS)
        return
    connection.from_arrow(_TURNS.empty_table()).create("turns_read")
    connection.execute("CREATE TEMP TABLE turns AS SELECT * FROM turns_read")
    turns = enumerate(read_references(references))
    while rows := [{"place": place, **asdict(turn)} for place, turn in islice(turns, _INSERT_ROWS)]:
        connection.from_arrow(pa.Table.from_pylist(rows, schema=_TURNS)).insert_into("turns")


def _matching(connection: "duckdb.DuckDBPyConnection") -> Matching:
    named = "SELECT DISTINCT id, uri FROM turns"
    (references,) = _row(connection, f"SELECT count(*) FROM ({named})")
    (matched,) = _row(connection, "SELECT count(*) FROM matches WHERE found = 1")
    missing = (
        f"SELECT coalesce(uri, id) FROM ({named}) AS n WHERE NOT EXISTS (SELECT 1 FROM matches AS m "
        f"WHERE m.id IS NOT DISTINCT FROM n.id AND m.uri IS NOT DISTINCT FROM n.uri) ORDER BY 1 LIMIT {_SHOWN}"
    )
    several = f"SELECT DISTINCT coalesce(uri, id) FROM matches WHERE found > 1 ORDER BY 1 LIMIT {_SHOWN}"
    return Matching(references, matched, *(tuple(_column(connection, sql)) for sql in (missing, several)))


def _row(connection: "duckdb.DuckDBPyConnection", sql: str) -> tuple[Any, ...]:
    row: tuple[Any, ...] = connection.sql(sql).fetchall()[0]
    return row


def _column(connection: "duckdb.DuckDBPyConnection", sql: str) -> list[str]:
    return [value for (value,) in connection.sql(sql).fetchall()]


def _check(matching: Matching, references: str | None) -> None:
    if not matching.references:
        if references is None:
            raise UsageError(
                "there is nothing to compare with:",
                ["the recordings' manifest had no column `reference`: give a file of references with --references"],
            )
        raise UsageError("there is nothing to compare with:", [f"{references}: holds no references"])
    if not matching.matched:
        known = "a reference finds its recording by id, by uri, or by the file's name"
        names = ", ".join(matching.unmatched or matching.ambiguous)
        raise UsageError("no reference fits a recording of this output:", [f"such as {names}", known])


def _scored(connection: "duckdb.DuckDBPyConnection", rules: Rules) -> Iterator[EvaluatedRecording]:
    (timed,) = _row(connection, "SELECT count(*) FROM turns WHERE len(words) > 0")
    words = "s.words" if timed else "NULL"
    for batch in connection.sql(_PAIRS.format(words=words)).to_arrow_reader(_BATCH_ROWS):
        for row in batch.to_pylist():
            if row["status"] != "skipped":
                yield _score(row, rules)


def _score(row: dict[str, Any], rules: Rules) -> EvaluatedRecording:
    turns = [
        ReferenceTurn(
            **turn | {"id": None, "uri": None, "text": turn["text"] or "", "words": _tokens(turn["words"], "_s")}
        )
        for turn in row["turns"]
    ]
    hypotheses = [
        HypothesisSegment(
            segment["channel"],
            segment["start_s"],
            segment["end_s"],
            segment["text"] or "",
            segment["text_raw"] or "",
            _tokens(segment["words"], ""),
        )
        for segment in row["segments"] or ()
    ]
    channels = 1 if row["channel_layout"] == "dual_mono" else row["num_channels"] or 1
    score = score_recording(turns, hypotheses, channels, row["language"], rules)
    return EvaluatedRecording(row["recording_id"], row["uri"], row["status"], row["language"], score)


def _tokens(words: list[dict[str, Any]] | None, suffix: str) -> tuple[TimedToken, ...]:
    return tuple(TimedToken(word["word"], word[f"start{suffix}"], word[f"end{suffix}"]) for word in words or ())
