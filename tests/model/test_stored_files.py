import pickle

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from funasr_beam.model.storage import Folder
from funasr_beam.model.stored_files import DamagedFileError, open_parquet, read_json, without_damage

UNIT = "_work/units/x/u.parquet"


def whole_file(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"a": list(range(10_000))}), path, compression="zstd", use_dictionary=False)
    return path.read_bytes()


def cut(data):
    return data[: len(data) // 2]


def spoiled(data):
    return data[:20] + b"\xff" * 2000 + data[2020:]


def replaced(data):
    return b"<html>404</html>"


def emptied(data):
    return b""


@pytest.mark.parametrize("spoil", [cut, spoiled, replaced, emptied])
def test_a_damaged_table_is_told_by_its_name_with_what_to_do(tmp_path, spoil):
    path = tmp_path / "segments/run=7/part-00000.parquet"
    path.write_bytes(spoil(whole_file(path)))
    name = str(path.relative_to(tmp_path))
    with pytest.raises(DamagedFileError) as caught, open_parquet(Folder(str(tmp_path)), name) as file:
        file.read()
    assert f"{path}: is damaged" in str(caught.value)
    assert "delete the folders run=7" in str(caught.value)
    assert not caught.value.can_be_made_again
    assert pickle.loads(pickle.dumps(caught.value)).name == name


@pytest.mark.parametrize("text", ["", "{", "\0\0\0"])
def test_a_damaged_note_of_a_run_is_told_by_its_name(tmp_path, text):
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/run.json").write_text(text)
    with pytest.raises(DamagedFileError, match=r"runs/run\.json: is damaged .* or delete it"):
        read_json(Folder(str(tmp_path)), "runs/run.json")


def test_a_file_that_is_not_there_is_not_damaged(tmp_path):
    with pytest.raises(FileNotFoundError), open_parquet(Folder(str(tmp_path)), UNIT):
        pass


def test_what_only_saves_work_is_removed_when_it_is_damaged_and_the_work_begins_again(tmp_path, caplog):
    output = Folder(str(tmp_path))
    for name in ("a", "b", "c"):
        output.write(f"_work/units/x/{name}.parquet", b"x" if name != "c" else whole_file(tmp_path / UNIT))

    def work():
        for name in output.names("_work/units/x"):
            with open_parquet(output, f"_work/units/x/{name}") as file:
                file.read()
        return output.names("_work/units/x")

    assert without_damage(output, work) == ["c.parquet", "u.parquet"]
    assert "a.parquet is damaged" in caplog.text


def test_a_damaged_table_is_never_removed(tmp_path):
    output = Folder(str(tmp_path))
    output.write("recordings/run=1/part-00000.parquet", b"x")

    def work():
        with open_parquet(output, "recordings/run=1/part-00000.parquet"):
            pass

    with pytest.raises(DamagedFileError):
        without_damage(output, work)
    assert output.exists("recordings/run=1/part-00000.parquet")
