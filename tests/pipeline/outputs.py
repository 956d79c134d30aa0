"""Outputs made by hand: runs whose tables hold just the rows that a test needs."""

import pyarrow as pa
import pyarrow.parquet as pq

from funasr_beam.model.storage import Folder
from funasr_beam.model.tables import TABLES
from funasr_beam.pipeline.run_folder import Run, finish_run, save_run


def add_run(root, run_id, recordings, segments=(), finished=True):
    """Write a run with these rows (partial dicts) into an output folder."""
    output = Folder(str(root))
    run = Run(run_id, "texthash", "2026-01-01T00:00:00+00:00")
    save_run(output, run)
    for table, rows in (("recordings", recordings), ("segments", segments), ("speech", ())):
        folder = root / table / f"run={run_id}"
        folder.mkdir(parents=True, exist_ok=True)
        filled = [{"run_id": run_id, **row} for row in rows]
        pq.write_table(pa.Table.from_pylist(filled, schema=TABLES[table]), folder / "part-00000.parquet")
    if finished:
        finish_run(output, run)
    return output


def recording(name="a", status="ok", fingerprint="1", **more):
    """A row of `recordings`."""
    row = {"recording_id": f"{name}-{fingerprint}", "uri": f"file:///{name}.wav", "fingerprint": fingerprint}
    return {**row, "status": status, "config_hash": "c", **more}
