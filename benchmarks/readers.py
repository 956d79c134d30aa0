"""Readers that know nothing of runs: they count the rows behind a glob, again and again, until a file appears.

python -m benchmarks.readers OUTPUT STOP_FILE RESULT_FILE
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow.dataset as ds


def count_with_duckdb(root: Path) -> int:
    """Rows that DuckDB's glob sees."""
    with duckdb.connect() as connection:
        (row,) = connection.sql(f"SELECT count(*) FROM read_parquet('{root}/*/*.parquet')").fetchall()
    return int(row[0])


def count_with_pyarrow(root: Path) -> int:
    """Rows that an Arrow data set over the folder has."""
    return int(ds.dataset(root, format="parquet").count_rows())


def count_with_pandas(root: Path) -> int:
    """Rows that pandas reads from the folder."""
    return len(pd.read_parquet(root, columns=["status"]))


def count_with_polars(root: Path) -> int:
    """Rows that Polars' glob sees."""
    return int(pl.scan_parquet(f"{root}/*/*.parquet").select(pl.len()).collect().item())


READERS: dict[str, Callable[[Path], int]] = {
    "duckdb": count_with_duckdb,
    "pyarrow": count_with_pyarrow,
    "pandas": count_with_pandas,
    "polars": count_with_polars,
}


def main(output: Path, stop: Path, told: Path) -> None:
    """Count until told to stop; any error but that of an empty output ends it."""
    seen: dict[str, list[int]] = {reader: [] for reader in READERS}
    while not stop.exists():
        if any((output / "recordings").glob("*/*.parquet")):
            for reader, count in READERS.items():
                seen[reader].append(count(output / "recordings"))
    told.write_text(json.dumps(seen))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
