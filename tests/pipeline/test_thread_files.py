import threading

import fsspec
import numpy as np
import pytest

from funasr_beam.pipeline.thread_files import ThreadFiles


@pytest.mark.parametrize("size", [400_000, 1_400_000], ids=["small", "large"])
def test_threads_that_share_a_file_read_what_they_asked_for(tmp_path, size):
    content = np.random.default_rng(0).bytes(size)
    (tmp_path / "file").write_bytes(content)
    file = ThreadFiles(fsspec.filesystem("file")).open(str(tmp_path / "file"))
    wrong = []

    def read(seed):
        rng = np.random.default_rng(seed)
        for start in rng.integers(0, size - 10_000, 2000).tolist():
            file.seek(start)
            if file.read(100) != content[start : start + 100] or file.tell() != start + 100:
                wrong.append(start)

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert file.seek(-5, 2) == size - 5
    assert file.read() == content[-5:]


def test_a_file_system_is_asked_once_what_there_is(tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"12")
    below, asked = fsspec.filesystem("file", skip_instance_cache=True), []
    for question in ("ls", "info", "glob", "exists", "modified"):
        monkeypatch.setattr(below, question, counted(getattr(below, question), asked))
    files, path = ThreadFiles(below), str(tmp_path / "file")

    def look():
        assert files.glob(str(tmp_path / "*")) == [path]
        assert files.glob(str(tmp_path / "*.wav")) == []
        assert files.info(path)["size"] == 2
        assert files.exists(path)
        assert files.modified(path)
        assert files.ls(str(tmp_path))

    look()
    first = len(asked)
    look()
    assert len(asked) == first >= 6


def counted(answer, asked):
    def count(path, *words, **options):
        asked.append(path)
        return answer(path, *words, **options)

    return count


def test_a_file_that_is_not_there_yet_is_asked_for_again(tmp_path):
    files, path = ThreadFiles(fsspec.filesystem("file")), tmp_path / "file"
    with pytest.raises(FileNotFoundError):
        files.info(str(path))
    path.write_bytes(b"12")
    assert files.info(str(path))["size"] == 2


def test_a_small_file_is_fetched_once_and_every_opening_has_its_own_position(tmp_path, monkeypatch):
    (tmp_path / "small").write_bytes(b"small")
    below, fetched = fsspec.filesystem("file", skip_instance_cache=True), []
    monkeypatch.setattr(below, "cat_file", counted(below.cat_file, fetched))
    files = ThreadFiles(below)
    first, second = (files.open(str(tmp_path / "small")) for _ in range(2))
    assert (first.read(2), second.read(), first.read()) == (b"sm", b"small", b"all")
    assert len(fetched) == 1


def test_a_large_file_is_read_in_pieces(tmp_path, monkeypatch):
    (tmp_path / "large").write_bytes(bytes(2**20) + b"end")
    below = fsspec.filesystem("file", skip_instance_cache=True)
    monkeypatch.setattr(below, "cat_file", lambda path: pytest.fail("was fetched whole"))
    file = ThreadFiles(below).open(str(tmp_path / "large"))
    file.seek(2**20)
    assert file.read() == b"end"
