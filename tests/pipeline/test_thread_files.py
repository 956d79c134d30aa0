import threading

import fsspec
import numpy as np

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
