import json
from argparse import Namespace

import pytest

from benchmarks import cpu_precision
from benchmarks.cpu_precision import FULL_WAYS, PLAIN, store, take_turn, take_turns, to_plain


def test_all_take_turns_another_one_begins_each_round_and_the_warm_up_is_not_counted():
    asked = []
    found = take_turns({"a": 0, "b": 0, "c": 0}, lambda way: asked.append(way) or len(asked), rounds=2)
    assert "".join(asked) == "cababcbca"
    assert found == {"a": [4, 9], "b": [5, 7], "c": [6, 8]}


def test_a_ratio_is_to_float32_in_the_same_round():
    found = to_plain({PLAIN: [1.0, 10.0, 2.0], "other": [0.5, 4.0, 3.0]})
    assert found["other"] == {"ratio": 0.5, "fastest": 0.4, "slowest": 1.5}
    assert found[PLAIN]["ratio"] == 1.0


@pytest.mark.parametrize("way", FULL_WAYS)
def test_a_turn_tells_where_its_time_went(way, tmp_path):
    found = take_turn(Namespace(turn=way, work=tmp_path, size="tiny", profile="calls", hours=0.002))
    stages_s = sum(found[stage] for stage in ("encoder_s", "prefill_s", "decode_s"))
    assert 0 < stages_s <= found["cpu_s"]
    assert found["ms_per_step"] > 0


def test_a_part_is_kept_beside_the_others(tmp_path, monkeypatch):
    monkeypatch.setattr(cpu_precision, "RESULT", tmp_path / "cpu_precision.json")
    store("demo", {"ways": 1})
    store("full", {"ways": 2})
    found = json.loads((tmp_path / "cpu_precision.json").read_text())
    assert (found["demo"], found["full"]) == ({"ways": 1}, {"ways": 2})
