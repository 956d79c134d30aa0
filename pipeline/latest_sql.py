"""The rule of the current row as SQL: views for DuckDB that always look at the files, snapshots for Spark and BigQuery.

The same rule in Python, with its words, is in `funasr_beam.pipeline.current`; property tests keep the two equal.
"""

import re
from collections.abc import Callable, Sequence

from funasr_beam.model.storage import Folder
from funasr_beam.model.tables import TABLES

_RULE = """\
SELECT run, recording_id, uri
FROM (
  SELECT *, row_number() OVER (
    PARTITION BY uri, recording_id
    ORDER BY config_newest DESC, worth DESC, extent DESC, run_id DESC, run DESC
  ) AS place
  FROM (
    SELECT *, max(CASE WHEN worth > 0 THEN run_id ELSE '' END)
      OVER (PARTITION BY uri, recording_id, config_hash) AS config_newest
    FROM (
      SELECT *, CASE WHEN worth = 2 THEN coalesce(num_characters, 0) ELSE 0 END AS extent,
        first_value(fingerprint) OVER (
          PARTITION BY uri
          ORDER BY CASE WHEN fingerprint = '' THEN 0 ELSE 1 END DESC, run_id DESC, fingerprint DESC
        ) AS newest_fingerprint
      FROM (
        SELECT run, run_id, recording_id, uri, num_characters,
          coalesce(fingerprint, '') AS fingerprint, coalesce(config_hash, '') AS config_hash,
          CASE WHEN status NOT IN ('ok', 'partial', 'no_speech') THEN 0
               WHEN status = 'no_speech' OR num_characters = 0 THEN 1
               WHEN status = 'partial' THEN 2
               ELSE 3 END AS worth
        FROM {recordings}
      ) AS rows_of_finished_runs
    ) AS judged
    WHERE fingerprint = newest_fingerprint
  ) AS of_the_newest_bytes
) AS ranked
WHERE place = 1"""

_CURRENT = """\
SELECT t.{star} FROM {source} AS t
WHERE EXISTS (SELECT 1 FROM current_keys AS k WHERE k.run = t.run AND k.recording_id = t.recording_id{more})"""

WORDS = """\
SELECT segment_id, recording_id, channel, language, timestamp_source,
  generate_subscripts(words, 1) AS word_index, unnest(words, recursive := true)
FROM segments WHERE len(words) > 0"""
"""The view `words` for DuckDB, on top of the view `segments`."""


def latest_sql(root: str, finishing: str | None = None) -> str:
    """DuckDB statements for the views recordings, segments, speech and words: current rows of finished runs only.

    The views read names and files anew with every query, so they need not be made again after a run.

    Args:
        root: the output folder, as DuckDB is to read it: a path or a URI.
        finishing: a run that counts as finished although its `_SUCCESS` is not written yet.
    """
    place = _literal(root)
    finished = f"SELECT regexp_extract(file, '/runs/([^/]+)/_SUCCESS$', 1) AS run FROM glob('{place}/runs/*/_SUCCESS')"
    if finishing is not None:
        quoted = finishing.replace("'", "''")
        finished += f" UNION SELECT '{quoted}'"
    views = [
        ("finished_runs", finished),
        *_views(lambda table: _stored_in_duckdb(place, table), "* EXCLUDE (run)", WORDS),
    ]
    head = "-- Current rows of finished runs, for DuckDB: .read latest.sql (the rule: docs/resume.md)."
    return _script(head, [f"CREATE OR REPLACE VIEW {name} AS\n{text}" for name, text in views])


def spark_sql(root: str, finished: Sequence[str]) -> str:
    """Spark statements for the same views, over the runs that were finished when this text was written.

    Spark does not see files whose names begin with an underscore, so the finished runs are named in the text.

    Args:
        root: the output folder, as Spark is to read it.
        finished: ids of the finished runs.
    """
    words = (
        "SELECT segment_id, recording_id, channel, language, timestamp_source, place + 1 AS word_index, said.*\n"
        "FROM segments LATERAL VIEW posexplode(words) exploded AS place, said"
    )
    views = _views(lambda table: f"SELECT * FROM parquet.`{root}/{table}` WHERE {_among(finished)}", "*", words)
    head = "-- Current rows of finished runs, for Spark: a snapshot, written anew at the end of every run."
    return _script(head, [f"CREATE OR REPLACE TEMPORARY VIEW {name} AS\n{text}" for name, text in views])


def bigquery_sql(root: str, finished: Sequence[str]) -> str:
    """BigQuery statements for the same views, in the default data set; see `spark_sql`."""
    statements = [
        f"CREATE OR REPLACE EXTERNAL TABLE all_{table} WITH PARTITION COLUMNS (run STRING)\n"
        f"OPTIONS (format = 'PARQUET', uris = ['{root}/{table}/*'], hive_partition_uri_prefix = '{root}/{table}',\n"
        "  enable_list_inference = true)"
        for table in TABLES
    ]
    words = (
        "SELECT segment_id, recording_id, channel, language, timestamp_source, place + 1 AS word_index, said.*\n"
        "FROM segments, UNNEST(words) AS said WITH OFFSET AS place"
    )
    views = _views(lambda table: f"SELECT * FROM all_{table} WHERE {_among(finished)}", "* EXCEPT (run)", words)
    head = "-- Current rows of finished runs, for BigQuery: a snapshot, written anew at the end of every run."
    return _script(head, [*statements, *(f"CREATE OR REPLACE VIEW {name} AS\n{text}" for name, text in views)])


def write_latest_sql(output: Folder, finished: Sequence[str]) -> None:
    """Put the texts for all three engines into the output."""
    root = output.show()
    output.write("latest.sql", latest_sql(root).encode())
    output.write("latest.spark.sql", spark_sql(root, finished).encode())
    output.write("latest.bigquery.sql", bigquery_sql(root, finished).encode())


def _views(stored: Callable[[str], str], star: str, words: str) -> list[tuple[str, str]]:
    """Names and texts of the views, each on top of those before it.

    Args:
        stored: the rows of a table in finished runs, with the column `run`.
        star: all columns without `run`, as far as the dialect can say that.
        words: the view of words.
    """
    views = [(f"stored_{table}", stored(table)) for table in TABLES]
    views.append(("current_keys", _RULE.format(recordings="stored_recordings")))
    views += [(table, _current(table, f"stored_{table}", star)) for table in TABLES]
    return [*views, ("words", words)]


def _script(head: str, statements: Sequence[str]) -> str:
    return "\n\n".join([head, *(f"{statement};" for statement in statements)]) + "\n"


def _stored_in_duckdb(place: str, table: str) -> str:
    return (
        f"SELECT * FROM read_parquet('{place}/{table}/run=*/*.parquet', union_by_name = true,\n"
        "  hive_partitioning = true, hive_types = {'run': VARCHAR})\n"
        "WHERE run IN (SELECT run FROM finished_runs)"
    )


def _current(table: str, source: str, star: str) -> str:
    more = " AND k.uri = t.uri" if table == "recordings" else ""
    return _CURRENT.format(star=star, source=source, more=more)


def _among(finished: Sequence[str]) -> str:
    return f"run IN ({', '.join(repr(run) for run in finished)})" if finished else "FALSE"


def _literal(root: str) -> str:
    """A root inside a quoted glob pattern."""
    return as_glob(root.rstrip("/")).replace("'", "''")


def as_glob(path: str) -> str:
    """A path as a glob pattern of DuckDB: its own wildcard letters stand for themselves."""
    return re.sub(r"([*?\[])", r"[\1]", path)
