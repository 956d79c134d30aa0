import pyarrow.parquet as pq
import pytest

from funasr_beam.model.storage import Folder
from funasr_beam.model.table_drafts import TableDrafts
from funasr_beam.model.tables import TABLES


def speech(count):
    return [{"recording_id": f"r{number:06d}", "channel": 0, "start": 0.0, "end": 1.0} for number in range(count)]


def names(root, table="speech"):
    return sorted(path.name for path in (root / table / "run=1").iterdir())


def publish(root, count, part_bytes):
    with TableDrafts(Folder(str(root)), "1", part_bytes) as tables:
        tables.add("speech", speech(count))
        tables.publish()


def test_a_table_below_the_size_is_one_file_and_empty_ones_are_there(tmp_path):
    publish(tmp_path, 25_000, part_bytes=2**30)
    for table in TABLES:
        assert names(tmp_path, table) == ["part-00000.parquet"]
    assert pq.read_table(tmp_path / "speech").num_rows == 25_000


def test_a_large_table_becomes_several_files_with_all_rows_in_order(tmp_path):
    publish(tmp_path, 25_000, part_bytes=1)
    assert names(tmp_path) == [f"part-{number:05d}.parquet" for number in range(3)]
    found = [row for name in names(tmp_path) for row in pq.read_table(tmp_path / "speech/run=1" / name).to_pylist()]
    assert [row["recording_id"] for row in found] == [row["recording_id"] for row in speech(25_000)]


def test_nothing_is_published_before_everything_is_written(tmp_path):
    with TableDrafts(Folder(str(tmp_path)), "1", 1) as tables:
        tables.add("speech", speech(25_000))
        assert not (tmp_path / "speech").exists()
        tables.publish()
    assert names(tmp_path)


def test_files_of_a_killed_attempt_with_more_parts_do_not_stay(tmp_path):
    publish(tmp_path, 25_000, part_bytes=1)
    publish(tmp_path, 25_000, part_bytes=2**30)
    assert names(tmp_path) == ["part-00000.parquet"]


def test_a_failure_leaves_no_draft(tmp_path):
    with pytest.raises(KeyError), TableDrafts(Folder(str(tmp_path)), "1", 1) as tables:
        tables.add("speech", speech(25_000))
        raise KeyError
    assert list((tmp_path / "_work/drafts").iterdir()) == []
