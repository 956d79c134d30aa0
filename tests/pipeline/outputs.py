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


def segment(name="a", start=0.0, end=1.0, text="hello", fingerprint="1", channel=0, **more):
    """A row of `segments`, its words spread evenly over it; `text` None is a segment that failed."""
    recording_id = f"{name}-{fingerprint}"
    row = {
        "segment_id": f"{recording_id}-{channel}-{round(start * 1000):010d}",
        "recording_id": recording_id,
        "channel": channel,
        "start": start,
        "end": end,
        "text": text,
        "text_raw": text,
        "language": "en",
        "confidence": 0.9,
        "words": None if text is None else list(spread(text.split(), start, end)),
        "timestamp_source": "ctc",
    }
    return {**row, **more}


def spread(words, start, end):
    """Words with times that share a stretch evenly."""
    step = (end - start) / max(1, len(words))
    for place, word in enumerate(words):
        times = {"start": start + place * step, "end": start + (place + 1) * step}
        yield {"word": word, "confidence": 0.9, "raw_start": place, "raw_end": place + 1, **times}
