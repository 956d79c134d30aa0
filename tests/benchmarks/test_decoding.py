from argparse import Namespace

import torch

from benchmarks.decoding import WAYS, load, measure, show, store


def test_the_benchmark_of_decoding_runs_to_its_end_and_all_ways_write_the_same(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("benchmarks.decoding.RESULTS", tmp_path)
    device, arguments = torch.device("cpu"), Namespace(rows=3, count=5, steps=2, repeat=1)
    scores = measure(load("tiny", device), device, arguments)
    show("tiny", scores)
    store("tiny", scores, device, arguments)
    assert tuple(scores) == WAYS
    assert all(score.same_text == score.of == 5 for score in scores.values())
    assert "| tiny | engine |" in capsys.readouterr().out
    assert (tmp_path / "decoding_cpu.json").exists()
