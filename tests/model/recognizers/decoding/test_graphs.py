import time
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from funasr_beam.model.batching import BatchLimits, run_in_batches
from funasr_beam.model.recognizers.decoding.engine import DecodingEngine
from funasr_beam.model.recognizers.decoding.graphs import Replay
from funasr_beam.model.recognizers.decoding.limits import RECORDED, EngineLimits, Grid
from funasr_beam.model.recognizers.greedy import decode_greedily
from tests import recorded_graphs
from tests.qwen3 import END_IDS, make_prompts, tiny_qwen3
from tests.recorded_graphs import pretend_graphs

FINE = Grid(is_coarse=True, positions=16, steps_per_look=3)


def ask(model, count, seed):
    """Prompts and budgets of many lengths."""
    return make_prompts(model, [3 + 11 * place % 37 for place in range(count)], seed), [
        40 - 3 * place % 29 for place in range(count)
    ]


@pytest.mark.parametrize("grid", [FINE, RECORDED])
def test_recorded_steps_write_what_a_loop_writes_in_all_shapes_and_the_second_time_nothing_is_recorded(
    monkeypatch, grid
):
    made = pretend_graphs(monkeypatch)
    model = tiny_qwen3()
    engine = DecodingEngine(model, END_IDS, EngineLimits(max_rows=8), grid)
    for _ in range(2):
        recorded = len(made)
        prompts, budgets = ask(model, 21, 4)
        with torch.inference_mode():
            wanted = decode_greedily(model, prompts, budgets, END_IDS)
        found = engine.decode(prompts, budgets)
        assert [item.token_ids for item in found] == [item.token_ids for item in wanted]
        assert [item.finish_reason for item in found] == [item.finish_reason for item in wanted]
    assert recorded == len(made) > 1
    assert all(graph.replays for graph in made)


def test_records_are_given_back_with_the_memory_that_they_are_about(monkeypatch):
    made = pretend_graphs(monkeypatch)
    model = tiny_qwen3()
    engine = DecodingEngine(model, END_IDS, EngineLimits(max_rows=8), RECORDED)
    prompts, budgets = ask(model, 5, 1)
    first = engine.decode(prompts, budgets)
    engine.release()
    assert not list(engine._pool._replays)
    recorded = len(made)
    assert [item.token_ids for item in engine.decode(prompts, budgets)] == [item.token_ids for item in first]
    assert len(made) == 2 * recorded


def test_where_recording_runs_out_of_memory_halves_of_the_list_are_decoded_with_fewer_rows(monkeypatch):
    pretend_graphs(monkeypatch)
    record = Replay.record

    def narrow(self, rows, positions):
        if rows > 4:
            raise torch.OutOfMemoryError("CUDA out of memory")
        record(self, rows, positions)

    monkeypatch.setattr(Replay, "record", narrow)
    model = tiny_qwen3()
    engine = DecodingEngine(model, END_IDS, EngineLimits(max_rows=8), RECORDED)
    prompts, budgets = ask(model, 13, 3)
    asked = []

    def work(places):
        asked.append(len(places))
        return engine.decode([prompts[place] for place in places], [budgets[place] for place in places])

    found = run_in_batches(work, [1.0] * 13, BatchLimits(100.0, 13))
    with torch.inference_mode():
        wanted = decode_greedily(model, prompts, budgets, END_IDS)
    assert [item.token_ids for item in found] == [item.token_ids for item in wanted]
    assert asked == [13, 6, 7], "with half as many rows, lists need not be as short as those"


def recorded(work):
    """A step that does this work, and the streams on which it was done."""
    seen = []

    def note(rows, positions):
        seen.append(torch.cuda.current_stream())
        work()

    return Replay(note, torch.device("cuda"), weakref.WeakSet()), seen


def test_all_steps_are_tried_and_recorded_on_one_stream_which_waits_and_is_waited_for(monkeypatch):
    pretend_graphs(monkeypatch)
    step, seen = recorded(lambda: None)
    main = torch.cuda.current_stream()
    step.record(1, 64)
    step.record(2, 64)
    (side,) = set(seen)
    assert side is not main
    assert side.waited_for == [main, main]
    assert main.waited_for == [side, side]
    assert torch.cuda.current_stream() is main


def test_each_gpu_has_a_stream_of_its_own_for_recording(monkeypatch):
    pretend_graphs(monkeypatch)
    step, seen = recorded(lambda: None)
    for gpu in (0, 1, 0):
        monkeypatch.setattr(torch.cuda, "current_device", lambda gpu=gpu: gpu)
        step.record(1 + len(seen), 64)
    first, second, third = seen[::3]
    assert first is third
    assert second is not first


@pytest.mark.parametrize("where", ["work", "end"])
def test_where_recording_fails_what_follows_waits_for_it_and_goes_on_where_it_was(monkeypatch, where):
    def fail(*_):
        raise torch.OutOfMemoryError

    made = pretend_graphs(monkeypatch)
    if where == "end":
        monkeypatch.setattr(recorded_graphs.Graph, "end", fail)
    step, seen = recorded(fail if where == "work" else lambda: None)
    main = torch.cuda.current_stream()
    with pytest.raises(torch.OutOfMemoryError):
        step.record(1, 64)
    assert torch.cuda.current_stream() is main
    assert main.waited_for == [seen[0]]
    assert len(made) == 1
    assert not step.has(1, 64)


def test_one_graph_is_recorded_at_a_time_in_a_process(monkeypatch):
    pretend_graphs(monkeypatch)
    at_work = []

    def work():
        at_work.append(1)
        most.append(len(at_work))
        time.sleep(0.002)
        at_work.pop()

    most = []
    steps = [recorded(work)[0] for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda step: step.record(1, 64), steps))
    assert max(most) == 1


def test_on_a_cpu_nothing_is_recorded():
    model = tiny_qwen3()
    engine = DecodingEngine(model, END_IDS, grid=RECORDED)
    engine.decode(*ask(model, 3, 0))
    (replay,) = engine._pool._replays
    assert replay.has(1, 1)
    assert not replay._graphs


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_writes_what_a_cpu_writes_and_replays_its_records():
    model = tiny_qwen3()
    prompts, budgets = ask(model, 40, 6)
    wanted = DecodingEngine(model, END_IDS).decode(prompts, budgets)
    there = tiny_qwen3().to("cuda")
    engine = DecodingEngine(there, END_IDS, EngineLimits(max_rows=16))
    again = [engine.decode([prompt.cuda() for prompt in prompts], budgets) for _ in range(3)]
    same = [item.token_ids == other.token_ids for item, other in zip(again[0], wanted, strict=True)]
    assert sum(same) >= 36  # of 40: sums in another order tip a tie now and then
    assert [item.token_ids for item in again[1]] == [item.token_ids for item in again[2]]
    assert any(replay._graphs for replay in engine._pool._replays)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_gives_all_memory_back_however_many_steps_were_recorded():
    there = tiny_qwen3().to("cuda")
    engine = DecodingEngine(there, END_IDS, EngineLimits(max_rows=64))
    prompts, budgets = ask(there, 40, 6)
    engine.decode(prompts[:1], budgets[:1])  # cuBLAS takes its workspaces, for good
    engine.release()
    before = torch.cuda.memory_allocated()
    for count in (2, 3, 5, 9, 17, 33, 40):
        engine.decode(prompts[:count], budgets[:count])
    assert sum(len(replay._graphs) for replay in engine._pool._replays) > 4  # those of the largest slots
    engine.release()
    assert torch.cuda.memory_allocated() <= before + (1 << 20)
