import threading

import fsspec
import numpy as np
import pytest

from funasr_beam.pipeline.thread_files import ThreadFiles


def test_threads_that_share_a_file_read_what_they_asked_for(tmp_path):
    content = np.random.default_rng(0).bytes(400_000)
    (tmp_path / "file").write_bytes(content)
    file = ThreadFiles(fsspec.filesystem("file")).open(str(tmp_path / "file"))
    wrong = []

    def read(seed):
        rng = np.random.default_rng(seed)
        for start in rng.integers(0, 390_000, 2000).tolist():
            file.seek(start)
            if file.read(100) != content[start : start + 100] or file.tell() != start + 100:
                wrong.append(start)

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert file.seek(-5, 2) == 399_995
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
