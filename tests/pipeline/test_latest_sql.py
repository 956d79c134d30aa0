"""The SQL of every dialect and the Python rule choose the same rows, whatever runs there were."""

import tempfile
from pathlib import Path

import duckdb
import pytest
import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st

from funasr_beam.pipeline.current import current_rows
from funasr_beam.pipeline.latest_sql import bigquery_sql, latest_sql, spark_sql, write_latest_sql
from funasr_beam.pipeline.run_folder import finished_run_ids
from tests.pipeline.outputs import add_run, recording

ROWS = st.fixed_dictionaries(
    {
        "name": st.sampled_from("ab"),
        "fingerprint": st.sampled_from(["", "1", "2"]),
        "status": st.sampled_from(["ok", "partial", "no_speech", "failed", "skipped"]),
        "config_hash": st.sampled_from(["c", "d"]),
        "num_characters": st.sampled_from([None, 0, 3, 7]),
        "recording_id": st.sampled_from(["x", "y"]),
    }
)
RUNS = st.lists(
    st.tuples(st.lists(ROWS, max_size=4, unique_by=lambda row: (row["name"], row["recording_id"])), st.booleans()),
    min_size=1,
    max_size=6,
)


def write(root, runs):
    for number, (rows, finished) in enumerate(runs):
        recordings = [{**recording(**row), "recording_id": row["name"] + row["recording_id"]} for row in rows]
        segments = [{"segment_id": row["recording_id"], "recording_id": row["recording_id"]} for row in recordings]
        output = add_run(root, f"r{number}", recordings, segments, finished=finished)
    return output


def chosen(connection, table="recordings"):
    names = [column[0] for column in connection.sql(f"SELECT * FROM {table} LIMIT 0").description]
    wanted = ("uri", "recording_id", "fingerprint", "run_id") if "uri" in names else ("recording_id", "run_id")
    return sorted(connection.sql(f"SELECT {', '.join(wanted)} FROM {table}").fetchall())


def by_python(output):
    columns = ("uri", "recording_id", "fingerprint", "run_id")
    return sorted(tuple(row[name] for name in columns) for row in current_rows(output).to_pylist())


@given(RUNS)
@settings(max_examples=40, deadline=None)
def test_sql_and_python_choose_the_same_rows(runs):
    with tempfile.TemporaryDirectory() as root, duckdb.connect() as connection:
        output = write(Path(root), runs)
        connection.execute(latest_sql(root))
        expected = by_python(output)
        assert chosen(connection) == expected
        assert chosen(connection, "segments") == sorted((row[1], row[3]) for row in expected)


def transpiled(text, dialect, root):
    """The statements of another engine as DuckDB runs them, with its way to name a source replaced."""
    for statement in sqlglot.parse(text, read=dialect):
        if statement is None or "EXTERNAL" in statement.sql(dialect):
            continue
        sql = statement.sql("duckdb")
        for table in ("recordings", "segments", "speech"):
            source = f"read_parquet('{root}/{table}/*/*.parquet', hive_partitioning = true, union_by_name = true)"
            sql = sql.replace(f'"parquet"."{root}/{table}"', source).replace(f'parquet."{root}/{table}"', source)
            sql = sql.replace(f"FROM all_{table}", f"FROM {source}")
        yield sql


@pytest.mark.parametrize(("make", "dialect"), [(spark_sql, "spark"), (bigquery_sql, "bigquery")])
@given(runs=RUNS)
@settings(max_examples=10, deadline=None)
def test_other_dialects_choose_the_same_rows(make, dialect, runs):
    with tempfile.TemporaryDirectory() as root, duckdb.connect() as connection:
        output = write(Path(root), runs)
        for sql in transpiled(make(root, finished_run_ids(output)), dialect, root):
            if "words" not in sql.split(" AS")[0]:
                connection.execute(sql)
        assert chosen(connection) == by_python(output)


def test_words_are_rows_with_their_place(tmp_path):
    words = [{"word": "a", "start": 0.1, "end": 0.2}, {"word": "b", "start": 0.3, "end": 0.4}]
    segment = {"segment_id": "s", "recording_id": "a-1", "words": words}
    add_run(tmp_path, "1", [recording()], [segment, {"segment_id": "t", "recording_id": "a-1", "words": None}])
    with duckdb.connect() as connection:
        connection.execute(latest_sql(str(tmp_path)))
        found = connection.sql('SELECT segment_id, word_index, word, start, "end" FROM words ORDER BY 2').fetchall()
    assert found == [("s", 1, "a", 0.1, 0.2), ("s", 2, "b", 0.3, 0.4)]


def test_a_root_with_quotes_and_wildcard_letters_is_taken_literally(tmp_path):
    output = add_run(tmp_path / "it's [here]*", "1", [recording()])
    write_latest_sql(output, ["1"])
    with duckdb.connect() as connection:
        connection.execute(output.read("latest.sql").decode())
        assert connection.sql("SELECT count(*) FROM recordings").fetchall() == [(1,)]


def test_the_views_see_a_run_that_came_after_them(tmp_path):
    add_run(tmp_path, "1", [recording()])
    with duckdb.connect() as connection:
        connection.execute(latest_sql(str(tmp_path)))
        add_run(tmp_path, "2", [recording("b")])
        assert connection.sql("SELECT count(*) FROM recordings").fetchall() == [(2,)]
