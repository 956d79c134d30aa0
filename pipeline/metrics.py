"""Metrics of a run, or of an output's current rows, counted from the published tables and from nothing else."""

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from funasr_beam.model.errors import Cause
from funasr_beam.model.metrics.dataset import RECORDING_COLUMNS, SEGMENT_COLUMNS, DatasetMetrics
from funasr_beam.model.metrics.groups import NONE, OTHER, GroupedMetrics, Grouping, metadata_key, parse_grouping
from funasr_beam.model.metrics.summary import Prices, flat, summarize, summarize_run
from funasr_beam.model.records import Seconds
from funasr_beam.model.storage import Folder
from funasr_beam.model.tables import TABLES
from funasr_beam.pipeline.config import MetricsConfig
from funasr_beam.pipeline.regressions import Regressions
from funasr_beam.pipeline.run_folder import METRICS, Run, parts, write_json
from funasr_beam.pipeline.views import open_views

if TYPE_CHECKING:
    import duckdb

MAX_GROUPS = 1000
"""Of each grouping; the smaller ones are counted together as `(other)`."""

_MOST_ENDINGS = 20
_BATCH_ROWS = 32_768
_SCHEMA = pa.schema(
    [
        ("run_id", pa.string()),
        ("group_by", pa.string()),
        ("group", pa.string()),
        ("metric", pa.string()),
        ("value", pa.float64()),
        ("bins", pa.list_(pa.struct([("low", pa.float64()), ("high", pa.float64()), ("count", pa.int64())]))),
    ]
)


@dataclass(frozen=True)
class Source:
    """Where rows come from: SQL for the relations of recordings and segments."""

    recordings: str
    segments: str


CURRENT = Source("recordings", "segments")
"""The current rows of an output."""


def measure_output(output: Folder, groupings: Sequence[Grouping] = (), run_id: str | None = None) -> GroupedMetrics:
    """Metrics of the current rows, or of all rows that one run wrote, finished or not.

    Args:
        output: with at least one published run.
        groupings: what to group by, besides everything.
        run_id: the run; None: current rows.
    """
    with open_views(output, run_id) as connection:
        return measure(connection, CURRENT if run_id is None else _of_run(output, run_id), groupings)


def unknown_metadata(output: Folder, groupings: Sequence[Grouping]) -> tuple[list[str], list[str]]:
    """The metadata keys of groupings that no current row has, and those that rows have."""
    asked = {name for grouping in groupings for key in grouping.keys if (name := metadata_key(key)) is not None}
    if not asked:
        return [], []
    with open_views(output) as connection:
        found = connection.sql("SELECT DISTINCT unnest(map_keys(metadata)) FROM recordings").fetchall()
    known = {name for (name,) in found}
    return sorted(asked - known), sorted(known)


@dataclass(frozen=True)
class RunFacts:
    """What the tables of a run do not tell."""

    wall_s: Seconds
    unchanged: int  # recordings that an earlier run had done
    regressions: Regressions = Regressions()
    share: float = 1.0  # of the audio that was transcribed in that time


def write_metrics(output: Folder, run: Run, config: MetricsConfig, facts: RunFacts) -> dict[str, Any]:
    """Count what a run has published and write its `metrics.json` and `metrics.parquet`; gives the former."""
    prices = Prices(config.cpu_hour, config.gpu_hour)
    with open_views(output, run.id) as connection:
        source = _of_run(output, run.id)
        metrics = measure(connection, source, [parse_grouping(text) for text in config.group_by])
        endings = _left_out_endings(connection, source)
    totals = summarize_run(metrics.everything, prices, facts.wall_s, facts.unchanged, facts.share)
    summary = {"run_id": run.id, **with_groups(metrics, prices, totals), "regressions": asdict(facts.regressions)}
    summary["left_out_endings"] = endings
    output.write(f"{run.folder}/metrics.parquet", table_bytes(metrics_table(metrics, prices, run.id, totals)))
    write_json(output, f"{run.folder}/{METRICS}", summary)
    return summary


def measure(connection: "duckdb.DuckDBPyConnection", source: Source, groupings: Sequence[Grouping]) -> GroupedMetrics:
    """Metrics of the rows of two relations; memory does not depend on their number."""
    # Outputs of earlier versions lack columns: an empty table of today's schema supplies them as null.
    for table in _TABLES:
        connection.register(f"empty_{table}", TABLES[table].empty_table())
    kept = {grouping.name: _largest(connection, source, grouping) for grouping in groupings}
    metrics = GroupedMetrics()
    for table in _TABLES:
        found = connection.sql(_query(table, source, groupings)).to_arrow_reader(_BATCH_ROWS)
        for batch in found:
            rows = pa.Table.from_batches([batch])
            labels = {
                grouping.name: _known(rows[f"group_{place}"], kept[grouping.name])
                for place, grouping in enumerate(groupings)
            }
            metrics.add(table, rows, labels)
    return metrics


def metrics_table(metrics: GroupedMetrics, prices: Prices, run_id: str, summary: Mapping[str, Any]) -> pa.Table:
    """All numbers as rows: one for each metric of everything (no group) and of each group.

    Args:
        metrics: what was counted.
        prices: of an hour of machine.
        run_id: copied into each row; "" for current rows.
        summary: of everything, with what only the run knows.
    """
    rows = list(_rows(metrics.everything, summary, (run_id, None, None)))
    for name, groups in metrics.groups.items():
        for group, found in sorted(groups.items()):
            rows += _rows(found, summarize(found, prices), (run_id, name, group))
    return pa.Table.from_pylist(rows, schema=_SCHEMA)


def with_groups(metrics: GroupedMetrics, prices: Prices, summary: Mapping[str, Any]) -> dict[str, Any]:
    """A summary with those of all groups below `groups`."""
    groups = {
        name: {group: summarize(found, prices) for group, found in sorted(each.items())}
        for name, each in metrics.groups.items()
    }
    return {**summary, "groups": groups}


def table_bytes(table: pa.Table) -> bytes:
    """A table as the bytes of a Parquet file."""
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


_TABLES = ("recordings", "segments")


def _of_run(output: Folder, run_id: str) -> Source:
    """All rows that a run wrote."""
    return Source(*(_parts_of_run(output, table, run_id) for table in _TABLES))


def _parts_of_run(output: Folder, table: str, run_id: str) -> str:
    names = ", ".join(_quoted(output.show(name)) for name in parts(output, table, run_id))
    return f"read_parquet([{names}], union_by_name = true, hive_partitioning = false)"


def _left_out_endings(connection: "duckdb.DuckDBPyConnection", source: Source) -> dict[str, int]:
    """The endings of files that were taken for no recordings, the most frequent first, and how many have them."""
    found = connection.sql(
        f"""SELECT lower(regexp_extract(uri, '[.][^./]*$')) AS ending, count(*) FROM {source.recordings}
        WHERE error_code = '{Cause.EXCLUDED.value}' AND starts_with(error_detail, '.')
        GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {_MOST_ENDINGS}"""
    )
    return dict(found.fetchall())


def _query(table: str, source: Source, groupings: Sequence[Grouping]) -> str:
    """One SELECT of the columns that the metrics need, and of a group for each grouping."""
    relation = source.recordings if table == "recordings" else source.segments
    columns = RECORDING_COLUMNS if table == "recordings" else SEGMENT_COLUMNS
    named = ", ".join("len(t.words) AS num_words" if name == "num_words" else f't."{name}"' for name in columns)
    groups = "".join(f", {_label(grouping, table)} AS group_{place}" for place, grouping in enumerate(groupings))
    join = ""
    if table == "segments" and any(set(grouping.keys) - {"language", "channel"} for grouping in groupings):
        join = f" LEFT JOIN ({_filled(source.recordings, 'recordings')}) AS r ON r.recording_id = t.recording_id"
    return f"SELECT {named}{groups} FROM ({_filled(relation, table)}) AS t{join}"


def _filled(relation: str, table: str) -> str:
    return f"SELECT * FROM {relation} UNION ALL BY NAME SELECT * FROM empty_{table}"


def _label(grouping: Grouping, table: str) -> str:
    """The group of a row; null for a recording where only segments have one."""
    if grouping.has_channel and table == "recordings":
        return "NULL::VARCHAR"
    return "concat_ws(', ', " + ", ".join(_key(key, table) for key in grouping.keys) + ")"


def _key(key: str, table: str) -> str:
    own = table == "recordings" or key in ("language", "channel")
    side, name = ("t" if own else "r"), metadata_key(key)
    if name is not None:
        value = f"{side}.metadata[{_quoted(name)}]"
    elif key == "folder":
        value = f"regexp_replace({side}.uri, '^file://|/[^/]*$', '', 'g')"
    else:
        value = f'{side}."{key}"'
    return f"coalesce(CAST({value} AS VARCHAR), '{NONE}')"


def _largest(connection: "duckdb.DuckDBPyConnection", source: Source, grouping: Grouping) -> list[str] | None:
    """The groups that are told apart; None: all of them."""
    table = "segments" if grouping.has_channel else "recordings"
    labels = _query(table, source, [grouping])
    counted = f"SELECT group_0, count(*) FROM ({labels}) GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {MAX_GROUPS + 1}"
    found = [label for label, _ in connection.sql(counted).fetchall()]
    return found[:MAX_GROUPS] if len(found) > MAX_GROUPS else None


def _known(labels: pa.ChunkedArray, kept: list[str] | None) -> pa.ChunkedArray:
    if kept is None:
        return labels
    small = pc.and_(pc.is_valid(labels), pc.invert(pc.is_in(labels, value_set=pa.array(kept, pa.string()))))
    return pc.if_else(small, OTHER, labels)


def _rows(
    metrics: DatasetMetrics, summary: Mapping[str, Any], of: tuple[str, str | None, str | None]
) -> Iterator[dict[str, Any]]:
    run_id, group_by, group = of
    for metric in flat(metrics, summary):
        bins = [{"low": each.low, "high": each.high, "count": each.count} for each in metric.bins]
        yield {
            "run_id": run_id,
            "group_by": group_by,
            "group": group,
            "metric": metric.name,
            "value": metric.value,
            "bins": bins or None,
        }


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
