import pytest

from docs.configuration_keys import describe_keys
from funasr_beam.model.errors import UsageError
from funasr_beam.model.segmentation import SegmentationConfig
from funasr_beam.pipeline.config import Config, text_hash
from funasr_beam.pipeline.config_sources import load_config

REQUIRED = {"input": ("in",), "output": "out"}


def problems_of(assignments=(), file=None, flags=REQUIRED):
    with pytest.raises(UsageError) as caught:
        load_config(file, list(assignments), flags)
    return caught.value.problems


def test_later_sources_win(tmp_path):
    file = tmp_path / "run.toml"
    file.write_text('model = "from-file"\n[plan]\nunit_s = 60\nspan_s = 30\n')
    config = load_config(file, ["plan.unit_s=120"], REQUIRED | {"model": "demo"})
    assert (config.plan.unit_s, config.plan.span_s, config.model) == (120, 30, "demo")


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path):
    (tmp_path / "run.toml").write_text("[plan]\r\nunit_s = 5\r\n", encoding="utf-8-sig")
    assert load_config(tmp_path / "run.toml", [], REQUIRED).plan.unit_s == 5


def test_all_problems_are_told_at_once(tmp_path):
    file = tmp_path / "run.toml"
    file.write_text('input = ["x"]\nouput = "y"\n[batching]\nmax_items = -1\n')
    problems = problems_of(file=file, flags={})
    assert problems[0] == "output: is required"
    assert any(p.startswith("ouput: unknown key; did you mean output? known: alignment, allow_") for p in problems)
    assert any(p.startswith("batching.max_items = -1: ") for p in problems)


def test_settings_that_contradict_each_other_are_named():
    assert problems_of(["batching.max_padded_s=12"]) == ["batching.max_padded_s = 12: is under segmentation.max_s = 30"]
    assert problems_of(["segmentation.target_s=31"]) == ["segmentation.target_s = 31: is over segmentation.max_s = 30"]


@pytest.mark.parametrize(
    ("assignment", "beginning"),
    [
        ("plan.unit_s", "--set plan.unit_s: is not KEY=VALUE"),
        ("plan.unit_s=soon", 'plan.unit_s = "soon": '),
        ("plan.unit=60", "plan.unit: unknown key; did you mean unit_s?"),
        ("recognition.language=klingon", 'recognition.language = "klingon": unknown'),
        ("plan.span_s=inf", "plan.span_s = Infinity: input should be a finite number"),
        ("recognition.context=\udcff", 'recognition.context = "\udcff": is not valid UTF-8'),
        ("recognition.hotwords=['a', '\udcff']", "recognition.hotwords = "),
        ("recognition.itn=maybe", 'recognition.itn = "maybe": '),
    ],
)
def test_a_wrong_setting_is_explained(assignment, beginning):
    (problem,) = problems_of([assignment], flags=REQUIRED | {"model": "demo"})
    assert problem.startswith(beginning)


def test_a_value_is_no_section():
    assert problems_of(["model=demo", "model.name=x"]) == ["model.name: model is a value, not a section"]


def test_a_language_may_be_named_in_any_common_way():
    for text in ("zh", "zh-CN", "Chinese", "中文"):
        assert load_config(None, [f"recognition.language={text}"], REQUIRED).recognition.language == "zh"


def test_a_broken_file_is_a_message(tmp_path):
    file = tmp_path / "run.toml"
    file.write_text("= 3")
    assert "is not valid TOML" in problems_of(file=file)[0]
    assert "there is no such file" in problems_of(file=tmp_path / "none.toml")[0]


def test_every_key_is_described():
    described = {key: sentence for key, _, _, sentence in describe_keys()}
    assert {
        "plan.unit_s",
        "plan.span_s",
        "segmentation.target_s",
        "segmentation.max_s",
        "batching.max_padded_s",
    } <= set(described)
    assert all(described.values())


def test_the_configuration_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        Config(input=("a",), output="b").model = "demo"


def test_one_text_stands_for_a_list_of_one():
    config = load_config(None, ["input=recordings", "recognition.hotwords=Anna"], {"output": "out"})
    assert (config.input, config.recognition.hotwords) == (("recordings",), ("Anna",))


def test_storages_and_their_secrets_are_no_part_of_a_configuration():
    with pytest.raises(UsageError, match="AWS_PROFILE") as caught:
        load_config(None, ["input=a", "output=b", "storage.secret=s3cr3t", "storage.key=AKIA"], {})
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize(("key", "usual"), [("encoder_precision", "auto"), ("llm_precision", "auto")])
def test_a_precision_changes_the_hash_only_where_it_is_not_the_usual_one(key, usual):
    def hashed(*assignments):
        config = load_config(None, assignments, REQUIRED)
        return text_hash(config, SegmentationConfig(), "m", {})

    assert hashed() == hashed(f"recognition.{key}={usual}")
    assert hashed() != hashed(f"recognition.{key}=bfloat16")


def test_a_precision_that_no_model_computes_in_is_a_problem():
    (problem,) = problems_of(["recognition.llm_precision=float16"])
    assert "recognition.llm_precision" in problem
    assert "'auto', 'float32' or 'bfloat16'" in problem
